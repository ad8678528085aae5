//! Unlock sessions: how shares reach an authority that nobody on the way can read or poison.
//!
//! The authority opens an [`UnlockSession`]: it makes an ephemeral HPKE key and signs a [`SessionDocument`] with its node key. A
//! holder's tool examines that document against the manifest chain that begins with the genesis its share carries ([`examine`]),
//! shows what is asked, and answers with an [`Envelope`]: the share sealed to the session, signed by the holder. The authority
//! checks that signature before it opens anything. Holders who cannot reach the authority get the session as a [`SessionRequest`] in
//! [armour](Armoured) and send the envelope back in the same manner. Nothing here does I/O but [`Seen`], the holder's memory of epochs.

mod answer;
mod armour;
mod authority;
mod document;
mod envelope;
mod request;
mod sealing;
mod seen;

pub use answer::{AnswerError, Answerable, CLOCK_TOLERANCE, Question, RosterChange, examine};
pub use armour::{ArmourError, Armoured, LONGEST_ARMOUR};
pub use authority::{
    DEFAULT_LIFETIME, LONGEST_LIFETIME, MOST_ANSWERS, OpenError, Opening, Refused, UnlockSession,
};
pub use document::{
    Checkpoint, LONGEST_SESSION, SESSION, SessionDocument, SessionError, SessionHash, SessionId,
    SessionPurpose, SignedSession, UnknownPurpose,
};
pub use envelope::{ENVELOPE, Envelope, EnvelopeError, LONGEST_ENVELOPE};
pub use request::{AnswerTextError, RequestError, SessionRequest};
pub use seen::{Seen, SeenError};

#[cfg(test)]
mod answer_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod testroom;
#[cfg(test)]
mod tests;
