//! M-Pin mathematics over BLS12-381: no I/O, no clock, no configuration.
