//! The chip under the applets: storage in two files, and which part of Trussed answers which request.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use trussed::Platform;
use trussed::backend::{Backend, BackendId};
use trussed::pipe::TrussedChannel;
use trussed::serde_extensions::{ExtensionDispatch, ExtensionId, ExtensionImpl};
use trussed::service::ServiceResources;
use trussed::types::Context;
use trussed::virt::{Client, Runner, StorageConfig, Store, StoreConfig, UserInterface};
use trussed_auth::AuthExtension;
use trussed_auth_backend::{AuthBackend, AuthContext, FilesystemLayout};
use trussed_chunked::ChunkedExtension;
use trussed_core::Error;
use trussed_core::api::{Reply, Request, reply, request};
use trussed_core::types::Location;
use trussed_hpke::HpkeExtension;
use trussed_rsa_alloc::SoftwareRsa;
use trussed_staging::{StagingBackend, StagingContext};
use trussed_wrap_key_to_file::WrapKeyToFileExtension;

/// Powers the chip for as long as `work` runs; what it stored lies in the folder (64 KiB a file, the crate's own size).
pub fn powered<R>(folder: &Path, name: &str, work: impl FnOnce(Client<'_, Parts>) -> R) -> R {
    let mut stores = StoreConfig {
        internal: StorageConfig::filesystem(folder.join("internal")),
        external: StorageConfig::filesystem(folder.join("external")),
        volatile: StorageConfig::ram(),
    };
    stores.with_store(|store| {
        // Chance, and not the constant seed of the crate: two cards must never make one key.
        let chip = Chip { chance: ChaCha8Rng::from_entropy(), store, person: UserInterface::new() };
        let channel = TrussedChannel::new();
        let mut runner = Runner::new();
        let (requester, responder) = channel.split().expect("a fresh channel");
        runner.add_endpoint(responder, name, PARTS);
        let client = Client::new(requester, runner.syscall(), None);
        runner.run(chip, Parts::new(), || work(client))
    })
}

struct Chip<'a> {
    chance: ChaCha8Rng,
    store: Store<'a>,
    person: UserInterface,
}

impl<'a> Platform for Chip<'a> {
    type R = ChaCha8Rng;
    type S = Store<'a>;
    type UI = UserInterface;

    fn user_interface(&mut self) -> &mut UserInterface {
        &mut self.person
    }

    fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.chance
    }

    fn store(&self) -> Store<'a> {
        self.store
    }
}

const PARTS: &[BackendId<Part>] =
    &[BackendId::Custom(Part::Staging), BackendId::Custom(Part::Auth), BackendId::Custom(Part::Rsa), BackendId::Core];

/// A part of Trussed that is not its core.
pub enum Part {
    Staging,
    Auth,
    Rsa,
}

/// All of them.
pub struct Parts {
    staging: StagingBackend,
    auth: AuthBackend,
    rsa: SoftwareRsa,
}

impl Parts {
    fn new() -> Self {
        let auth = AuthBackend::new(Location::Internal, FilesystemLayout::V0);
        Self { staging: StagingBackend::new(), auth, rsa: SoftwareRsa }
    }
}

/// What they remember between requests.
#[derive(Default)]
pub struct Remembered {
    staging: StagingContext,
    auth: AuthContext,
}

/// What the applets ask for beyond the core.
#[derive(Clone, Copy)]
pub enum Extension {
    Auth,
    Chunked,
    Hpke,
    Wrap,
}

impl From<Extension> for u8 {
    fn from(extension: Extension) -> u8 {
        extension as u8
    }
}

impl TryFrom<u8> for Extension {
    type Error = Error;

    fn try_from(id: u8) -> Result<Self, Error> {
        let all = [Self::Auth, Self::Chunked, Self::Hpke, Self::Wrap];
        all.get(usize::from(id)).copied().ok_or(Error::FunctionNotSupported)
    }
}

impl ExtensionId<AuthExtension> for Parts {
    type Id = Extension;
    const ID: Extension = Extension::Auth;
}

impl ExtensionId<ChunkedExtension> for Parts {
    type Id = Extension;
    const ID: Extension = Extension::Chunked;
}

impl ExtensionId<HpkeExtension> for Parts {
    type Id = Extension;
    const ID: Extension = Extension::Hpke;
}

impl ExtensionId<WrapKeyToFileExtension> for Parts {
    type Id = Extension;
    const ID: Extension = Extension::Wrap;
}

impl ExtensionDispatch for Parts {
    type BackendId = Part;
    type Context = Remembered;
    type ExtensionId = Extension;

    fn core_request<P: Platform>(
        &mut self,
        part: &Part,
        context: &mut Context<Remembered>,
        request: &Request,
        resources: &mut ServiceResources<P>,
    ) -> Result<Reply, Error> {
        let (core, mine) = (&mut context.core, &mut context.backends);
        match part {
            Part::Staging => self.staging.request(core, &mut mine.staging, request, resources),
            Part::Auth => self.auth.request(core, &mut mine.auth, request, resources),
            Part::Rsa => self.rsa.request(core, &mut (), request, resources),
        }
    }

    fn extension_request<P: Platform>(
        &mut self,
        part: &Part,
        extension: &Extension,
        context: &mut Context<Remembered>,
        request: &request::SerdeExtension,
        resources: &mut ServiceResources<P>,
    ) -> Result<reply::SerdeExtension, Error> {
        let (core, mine) = (&mut context.core, &mut context.backends);
        match (part, extension) {
            (Part::Auth, Extension::Auth) => {
                let auth = &mut self.auth;
                ExtensionImpl::<AuthExtension>::extension_request_serialized(
                    auth,
                    core,
                    &mut mine.auth,
                    request,
                    resources,
                )
            }
            (Part::Staging, Extension::Chunked) => ExtensionImpl::<ChunkedExtension>::extension_request_serialized(
                &mut self.staging,
                core,
                &mut mine.staging,
                request,
                resources,
            ),
            (Part::Staging, Extension::Hpke) => ExtensionImpl::<HpkeExtension>::extension_request_serialized(
                &mut self.staging,
                core,
                &mut mine.staging,
                request,
                resources,
            ),
            (Part::Staging, Extension::Wrap) => ExtensionImpl::<WrapKeyToFileExtension>::extension_request_serialized(
                &mut self.staging,
                core,
                &mut mine.staging,
                request,
                resources,
            ),
            _ => Err(Error::RequestNotAvailable),
        }
    }
}
