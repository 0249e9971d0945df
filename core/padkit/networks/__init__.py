"""Networks and what is common to them: the detector, inputs, feature maps, frozen parts."""
