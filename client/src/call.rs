//! What a customer asks for: from one D-TA, or from all in parallel and then combined.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::join_all;
use mpin::{ClientShare, Commitment, ServerShare, TimePermit};
use wire::api::{
    AuthorityInfo, IdentityHex, KeyVersion, MAX_PROVEN_PERMITS, PermitDate, Suite,
    TimePermitRequest,
};
use wire::keys::SigningKey;

use crate::config::{Config, KeyPin};
use crate::dta::{Dta, Verified, VerifiedPermit};
use crate::error::{ClientError, DtaError};

/// Asks D-TAs in a customer's name. It can be shared; calls may run at the same time.
pub struct Client {
    key: SigningKey,
    dtas: Vec<Dta>,
}

/// Which D-TAs to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// All of them, in parallel; what they give is added.
    All,
    /// This one; what it gives is its share alone, of no use by itself.
    One(&'a str),
}

/// Something issued, verified and, from several D-TAs, combined.
#[derive(Debug)]
pub struct Issued<T> {
    /// The share or the sum of the shares.
    pub share: T,
    /// The suite of all master keys involved.
    pub suite: Suite,
    /// The sum of their pinned commitments: what the share belongs to.
    pub commitment: Commitment,
    /// The master keys involved, in the order of `customer.toml`.
    pub keys: Vec<KeyOf>,
}

/// A master key of a D-TA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOf {
    /// The D-TA's name.
    pub dta: String,
    /// The version of the master key.
    pub key: KeyVersion,
}

/// One identity's permit for one day.
#[derive(Debug)]
pub struct Permit {
    /// Whose.
    pub identity: IdentityHex,
    /// For which day, in UTC.
    pub day: PermitDate,
    /// The permit.
    pub permit: TimePermit,
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Tls`] if TLS cannot be set up.
    pub fn new(config: Config) -> Result<Client, ClientError> {
        let timeout = config.timeout;
        let dtas = config.dtas.into_iter().map(|pins| Dta::new(pins, timeout));
        Ok(Client {
            key: config.key,
            dtas: dtas.collect::<Result<_, _>>()?,
        })
    }

    /// The names of the configured D-TAs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.dtas.iter().map(Dta::name)
    }

    /// A client share for this identity. `key` names a master-key version; without it each D-TA
    /// takes its only live one.
    ///
    /// # Errors
    /// [`ClientError`] names the first D-TA, in the order of the file, that did not give a share
    /// that could be verified.
    pub async fn client_share(
        &self,
        identity: &IdentityHex,
        key: Option<KeyVersion>,
        source: Source<'_>,
    ) -> Result<Issued<ClientShare>, ClientError> {
        let dtas = self.select(source)?;
        let asked = dtas
            .iter()
            .map(|dta| dta.client_share(&self.key, identity, key));
        let (shares, keys) = Keys::collect(&dtas, join_all(asked).await)?;
        Ok(keys.issued(ClientShare::combine(&shares)?))
    }

    /// The server share of this customer.
    ///
    /// # Errors
    /// As [`Self::client_share`].
    pub async fn server_share(
        &self,
        key: Option<KeyVersion>,
        source: Source<'_>,
    ) -> Result<Issued<ServerShare>, ClientError> {
        let dtas = self.select(source)?;
        let asked = dtas.iter().map(|dta| dta.server_share(&self.key, key));
        let (shares, keys) = Keys::collect(&dtas, join_all(asked).await)?;
        Ok(keys.issued(ServerShare::combine(&shares)?))
    }

    /// Time permits for these identities (none twice), from this day on for `days` days (1 to 31):
    /// identity by identity, the days of each in a row. Longer lists are asked for in pieces, each
    /// with its own proof.
    ///
    /// # Errors
    /// As [`Self::client_share`].
    pub async fn time_permits(
        &self,
        identities: &[IdentityHex],
        days: DayRange,
        key: Option<KeyVersion>,
        source: Source<'_>,
    ) -> Result<Issued<Vec<Permit>>, ClientError> {
        let dtas = self.select(source)?;
        let requests = pieces(identities, days, key);
        let asked = dtas.iter().map(|dta| self.permits_of(dta, &requests));
        let (permits, keys) = Keys::collect(&dtas, join_all(asked).await)?;
        Ok(keys.issued(combine_permits(permits)?))
    }

    /// What these D-TAs say about themselves and about this customer.
    ///
    /// # Errors
    /// As [`Self::client_share`].
    pub async fn authorities(
        &self,
        source: Source<'_>,
    ) -> Result<Vec<(String, AuthorityInfo)>, ClientError> {
        let dtas = self.select(source)?;
        let asked = dtas.iter().map(|dta| dta.authority(&self.key));
        let named = |(dta, result): (&&Dta, Result<AuthorityInfo, DtaError>)| match result {
            Ok(info) => Ok((dta.name().to_owned(), info)),
            Err(source) => Err(failed(dta, source)),
        };
        dtas.iter().zip(join_all(asked).await).map(named).collect()
    }

    /// The pinned master keys of a D-TA.
    ///
    /// # Errors
    /// [`ClientError::UnknownDta`].
    pub fn pinned(&self, name: &str) -> Result<&BTreeMap<KeyVersion, KeyPin>, ClientError> {
        Ok(self.select(Source::One(name))?[0].pinned())
    }

    fn select(&self, source: Source<'_>) -> Result<Vec<&Dta>, ClientError> {
        let Source::One(name) = source else {
            return Ok(self.dtas.iter().collect());
        };
        let found = self.dtas.iter().find(|dta| dta.name() == name);
        found
            .map(|dta| vec![dta])
            .ok_or_else(|| ClientError::UnknownDta {
                name: name.to_owned(),
                known: self.names().collect::<Vec<_>>().join(", "),
            })
    }

    async fn permits_of(
        &self,
        dta: &Dta,
        requests: &[TimePermitRequest],
    ) -> Result<Verified<Vec<VerifiedPermit>>, DtaError> {
        let mut all: Option<Verified<Vec<VerifiedPermit>>> = None;
        for request in requests {
            let piece = dta.time_permits(&self.key, request).await?;
            match &mut all {
                None => all = Some(piece),
                Some(all) if all.key == piece.key => all.value.extend(piece.value),
                // Rotated in between, and no key was named: a whole under one key is wanted.
                Some(_) => return Err(DtaError::OtherPermits),
            }
        }
        all.ok_or(DtaError::OtherPermits)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        write!(f, "Client({})", names.join(", "))
    }
}

/// Days in a row, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    /// The first day.
    pub from: PermitDate,
    /// How many: 1 to 31.
    pub days: u8,
}

/// The master keys behind what several D-TAs gave.
struct Keys {
    suite: Suite,
    commitment: Commitment,
    keys: Vec<KeyOf>,
}

impl Keys {
    /// Takes the results apart: what was given, and under which keys. All must be of one suite,
    /// with commitments that differ.
    fn collect<T>(
        dtas: &[&Dta],
        results: Vec<Result<Verified<T>, DtaError>>,
    ) -> Result<(Vec<T>, Keys), ClientError> {
        let mut values = Vec::with_capacity(results.len());
        let mut commitments = Vec::with_capacity(results.len());
        let mut keys: Vec<KeyOf> = Vec::with_capacity(results.len());
        let mut first_suite = None;
        for (dta, result) in dtas.iter().zip(results) {
            let verified = result.map_err(|source| failed(dta, source))?;
            let suite = *first_suite.get_or_insert(verified.pin.suite);
            if suite != verified.pin.suite {
                return Err(ClientError::Suites {
                    first: keys[0].dta.clone(),
                    first_suite: suite,
                    second: dta.name().to_owned(),
                    second_suite: verified.pin.suite,
                });
            }
            values.push(verified.value);
            commitments.push(verified.pin.commitment);
            keys.push(KeyOf {
                dta: dta.name().to_owned(),
                key: verified.key,
            });
        }
        let suite = first_suite.expect("a configuration names at least one D-TA");
        let commitment = Commitment::combine(&commitments)?;
        let keys = Keys {
            suite,
            commitment,
            keys,
        };
        Ok((values, keys))
    }

    fn issued<T>(self, share: T) -> Issued<T> {
        Issued {
            share,
            suite: self.suite,
            commitment: self.commitment,
            keys: self.keys,
        }
    }
}

fn failed(dta: &Dta, source: DtaError) -> ClientError {
    ClientError::Dta {
        dta: dta.name().to_owned(),
        source: Box::new(source),
    }
}

/// The requests for these permits, none for more than one proof covers.
fn pieces(
    identities: &[IdentityHex],
    days: DayRange,
    key: Option<KeyVersion>,
) -> Vec<TimePermitRequest> {
    let at_once = (MAX_PROVEN_PERMITS / usize::from(days.days.max(1))).max(1);
    let request = |identities: &[IdentityHex]| TimePermitRequest {
        identities: identities.to_vec(),
        from: days.from,
        days: days.days,
        key,
        encoding: None,
        proof: true,
    };
    identities.chunks(at_once).map(request).collect()
}

/// Adds the permits of all D-TAs, identity by identity and day by day.
fn combine_permits(of_dtas: Vec<Vec<VerifiedPermit>>) -> Result<Vec<Permit>, ClientError> {
    let mut columns: Vec<_> = of_dtas.into_iter().map(Vec::into_iter).collect();
    let mut combined = Vec::new();
    loop {
        let row: Vec<_> = columns.iter_mut().filter_map(Iterator::next).collect();
        let Some(first) = row.first() else {
            return Ok(combined);
        };
        let (identity, day) = (first.identity, first.day);
        let together = row
            .iter()
            .all(|permit| (permit.identity, permit.day) == (identity, day));
        if row.len() != columns.len() || !together {
            return Err(ClientError::Permits);
        }
        let permits: Vec<_> = row.into_iter().map(|permit| permit.permit).collect();
        combined.push(Permit {
            identity,
            day,
            permit: TimePermit::combine(&permits)?,
        });
    }
}
