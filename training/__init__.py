"""Everything the starter family is made of, as programs: cases, training, experts. Outside the wheel."""
