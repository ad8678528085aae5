//! `dta customer ...`: add, list, show, suspend, resume, and a customer's signing keys.

use std::path::{Path, PathBuf};

use thiserror::Error;
use wire::api::{Role, Suite};
use wire::operator::{CustomerListReply, CustomerReport, Op};

use super::socket::SocketArgs;
use crate::term::{CliError, CliResult, Exit, print_json};

/// `dta customer ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CustomerCommand {
    /// Register a customer and make its own master key, sealed under both locks.
    ///
    /// Prints what the customer puts into customer.toml.
    #[command(after_help = "Example: dta customer add acme --key acme.pub.pem")]
    Add(AddArgs),
    /// List all customers.
    #[command(after_help = "Example: dta customer list --json")]
    List(ListArgs),
    /// Show one customer: keys, roles, commitments.
    #[command(after_help = "Example: dta customer show acme")]
    Show(NameArgs),
    /// Refuse every request of a customer until it is resumed.
    #[command(after_help = "Example: dta customer suspend acme")]
    Suspend(NameArgs),
    /// Serve a suspended customer again.
    #[command(after_help = "Example: dta customer resume acme")]
    Resume(NameArgs),
    /// Add and revoke a customer's signing keys.
    #[command(subcommand)]
    Key(KeyCommand),
}

/// `dta customer key ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Register a further signing key.
    #[command(after_help = "Example: dta customer key add acme --key new.pub.pem --role permit")]
    Add(KeyAddArgs),
    /// Refuse a signing key from now on, for good.
    #[command(after_help = "Example: dta customer key revoke acme 0yI1kC2mJ3nV4bX5zL6pQw")]
    Revoke(KeyRevokeArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The customer's name: 1 to 64 of a-z 0-9 -
    name: String,
    /// Its first public signing key: PEM, Ed25519 or P-256.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// How identities are hashed to the curve: RO, NU or MILAGRO. Fixed for the life of the key.
    #[arg(long, default_value = "RO")]
    suite: Suite,
    /// Accept that suite MILAGRO cannot keep time permits and client shares apart.
    #[arg(long)]
    accept_milagro_risk: bool,
    /// What the signing key may ask for (repeatable; default: everything).
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NameArgs {
    /// The customer's name.
    name: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyAddArgs {
    /// The customer's name.
    name: String,
    /// The public signing key: PEM, Ed25519 or P-256.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What the key may ask for (repeatable; default: everything).
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyRevokeArgs {
    /// The customer's name.
    name: String,
    /// The key's id, as `dta customer show` prints it.
    keyid: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta customer`.
pub(crate) fn run_customer(command: CustomerCommand) -> CliResult {
    match command {
        CustomerCommand::Add(args) => add(args),
        CustomerCommand::List(args) => list(&args.common),
        CustomerCommand::Show(args) => on_one(&args, |name| Op::CustomerShow { name }),
        CustomerCommand::Suspend(args) => on_one(&args, |name| Op::CustomerSuspend { name }),
        CustomerCommand::Resume(args) => on_one(&args, |name| Op::CustomerResume { name }),
        CustomerCommand::Key(KeyCommand::Add(args)) => {
            let key_pem = read_key(&args.key)?;
            let op = Op::KeyAdd {
                name: args.name,
                key_pem,
                roles: args.roles,
            };
            change(&args.common, op)
        }
        CustomerCommand::Key(KeyCommand::Revoke(args)) => change(
            &args.common,
            Op::KeyRevoke {
                name: args.name,
                keyid: args.keyid,
            },
        ),
    }
}

#[derive(Debug, Error)]
enum CustomerError {
    #[error("cannot read the public key {}", path.display())]
    Key {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} holds a private key; only the public half belongs here", .0.display())]
    PrivateKey(PathBuf),
    #[error(
        "suite MILAGRO cannot keep time permits and client shares apart: whoever may enrol can make \
         tomorrow's permit for anybody, so its revocation is not enforceable"
    )]
    MilagroRisk,
}

impl From<CustomerError> for CliError {
    fn from(error: CustomerError) -> Self {
        let (exit, remedy) = match &error {
            CustomerError::Key { .. } => (Exit::Failed, "name the customer's PEM file with --key"),
            CustomerError::PrivateKey(_) => (
                Exit::Refused,
                "openssl pkey -in FILE -pubout gives the public half",
            ),
            CustomerError::MilagroRisk => (
                Exit::Refused,
                "--suite RO for new customers; --accept-milagro-risk if devices of Apache Milagro exist",
            ),
        };
        Self::new(exit, error).with_remedy(Some(remedy))
    }
}

fn add(args: AddArgs) -> CliResult {
    if args.suite == Suite::Milagro {
        if !args.accept_milagro_risk {
            return Err(CustomerError::MilagroRisk.into());
        }
        eprintln!("warning: {}", CustomerError::MilagroRisk);
    }
    let key_pem = read_key(&args.key)?;
    let op = Op::CustomerAdd {
        name: args.name,
        key_pem,
        suite: args.suite,
        roles: args.roles,
    };
    let report: CustomerReport = args.common.socket.call(op)?;
    if args.common.json {
        return print_json(&report);
    }
    // Standard output is what the customer needs, and nothing else, so that it can go into a file.
    eprint!("{}", describe(&report));
    eprintln!("the customer puts these lines into its customer.toml:");
    print!("{}", report.customer_toml);
    Ok(())
}

fn list(common: &Common) -> CliResult {
    let reply: CustomerListReply = common.socket.call(Op::CustomerList {})?;
    if common.json {
        return print_json(&reply);
    }
    println!(
        "{:<24}{:<12}{:<24}SIGNING KEYS",
        "NAME", "STATUS", "MASTER KEYS"
    );
    for customer in &reply.customers {
        let keys: Vec<_> = customer
            .keys
            .iter()
            .map(|key| format!("{} {}", key.key, key.suite))
            .collect();
        let live = customer
            .signing_keys
            .iter()
            .filter(|key| !key.revoked)
            .count();
        println!(
            "{:<24}{:<12}{:<24}{live}",
            customer.name,
            customer.status,
            keys.join(", ")
        );
    }
    Ok(())
}

fn on_one(args: &NameArgs, op: impl FnOnce(String) -> Op) -> CliResult {
    change(&args.common, op(args.name.clone()))
}

fn change(common: &Common, op: Op) -> CliResult {
    let report: CustomerReport = common.socket.call(op)?;
    if common.json {
        return print_json(&report);
    }
    print!("{}", describe(&report));
    Ok(())
}

fn describe(report: &CustomerReport) -> String {
    let mut text = format!("{}: {}\n", report.name, report.status);
    for key in &report.keys {
        text += &format!(
            "  master key {} {} commitment {}\n",
            key.key, key.suite, key.commitment
        );
    }
    for key in &report.signing_keys {
        let roles: Vec<_> = key.roles.iter().map(Role::to_string).collect();
        let state = if key.revoked { ", revoked" } else { "" };
        text += &format!(
            "  signing key {} {} ({}){state}\n",
            key.keyid,
            key.alg,
            roles.join(", ")
        );
    }
    text
}

fn read_key(path: &Path) -> Result<String, CustomerError> {
    let pem = std::fs::read_to_string(path).map_err(|source| CustomerError::Key {
        path: path.to_owned(),
        source,
    })?;
    // Sent on, it would be refused as well; but then it would have left this person's hands.
    if pem.contains("PRIVATE KEY") {
        return Err(CustomerError::PrivateKey(path.to_owned()));
    }
    Ok(pem)
}
