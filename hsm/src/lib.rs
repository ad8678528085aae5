//! PKCS#11: the token, the dta hsm process and the SoftHSM2 harness.
