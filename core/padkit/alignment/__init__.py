"""What aligners are made of: networks used without a trace, adversaries, and several aligners joined into one."""
