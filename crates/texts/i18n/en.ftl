# English texts. Every key stands in cs.ftl as well; a test compares them.

error = Error
yes-no = y/N
done = Done.
ask-pin = PIN or password of "{ $store }":
ask-retire = Remove the certificate { $serial } with its key from the store? The public part is archived first, the key is gone for ever.
ask-make-room = Remove these certificates with their keys when their successors work? The public parts are archived first, the keys are gone for ever.
ask-new-password = New password for the file "{ $store }":
ask-password-again = The same password again:
ask-new-pin = New PIN of "{ $store }":
ask-pin-again = The same PIN again:
ask-puk = PUK of "{ $store }":
pin-right = The PIN is right.
pin-changed = The PIN is changed. Only the new one works from now on.
pin-unblocked = The PIN is unblocked and new.
tries-good = no wrong attempt so far
tries-low = it was entered wrongly
tries-last = ONE TRY IS LEFT
tries-locked = LOCKED
tries-pad = typed on the device
tries-length = { $least } to { $most } characters
plan-file = There is no room on the device: the commercial certificate goes into the password-protected file { $file }.
plan-removes = To make room, { $kind } { $serial } is removed from the device at its turn (archived first).
days-left = { $days ->
    [one] in { $days } day
   *[other] in { $days } days
}
expired = has ended
serial-number = Serial number
issuer = Issuer
holder = Holder
validity = Valid
key = Key
store = Store
claims-device = Says that its key lives on a qualified device.
kind-qualified = Qualified
kind-commercial = Commercial
kind-authority = Authority

station-found = old certificate found and checked
station-keyed = new key made
station-requested = request signed
station-submitted = request sent
station-issued = certificate issued
station-accepted = certificate checked
station-confirmed = confirmed to the authority
station-installed = installed beside its key
station-proven = tested by a signature
station-registered = known to the account, login rehearsed
station-nobody-to-tell = no account has to be told
station-retired = old certificate out of use, archived
slow-making-key = Making the key. This can take minutes; do not unplug the device.
slow-installing = Writing to the store; do not unplug the device.

plan-title = Plan for "{ $store }" at { $authority }:
waiting = Waiting for the authority: { $why }. Nothing more is needed from you; "obnova resume" goes on.
nothing-open = Nothing is under way.
journey-open = under way
journey-finished = finished
registered-in-account = Registered in the account.
login-works = The login works; account { $account }.
proven = The key signs and the certificate verifies it: { $serial }.
retired-to = Removed. The public part is in { $archive }.
doctor-good = good
doctor-notice = look
doctor-bad = BAD
doctor-program = program
doctor-home = folder
doctor-store = store
doctor-stores = stores
doctor-pin = PIN
doctor-middleware = middleware
doctor-certificate = certificate
doctor-authority = authority
doctor-clock = clock differs from the authority's by
doctor-off-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
doctor-off-minutes = { $count } min
doctor-off-seconds = { $count } s
doctor-none = none
doctor-journey = renewal

reason-issue = will be issued
reason-no-contract = you stand on no contract; your organisation's authorised person can mend it
reason-debt = an invoice is unpaid for more than 30 days; your organisation's authorised person can mend it
reason-cash = the contract is paid in cash and nothing is prepaid; your authorised person can mend it
reason-three-years-contract = the contract does not allow three years; your authorised person can allow it
reason-three-years-applicant = you are not allowed three years; your authorised person can allow it
reason-data-changed = your data changed; a clerk of the authority looks at it
reason-approval = a clerk of the authority approves it
reason-device-ended = the device is not certified any more; a new device is needed
reason-by-clerk = a clerk of the authority refused it
reason-later = the authority needs time
reason-predecessor-expired = the old certificate has ended
reason-predecessor-revoked = the old certificate was revoked
reason-too-early = the renewal window is not open yet
reason-unknown-predecessor = the authority does not know this certificate
reason-other = the authority tells why
reason-renewal-too-early = the renewal window is not open yet
reason-predecessor-not-yet-valid = the old certificate is not valid yet
reason-subject-differs = another name was asked for than the old certificate has
reason-same-key = this key has a certificate already; a new one must be made

who-holder = You
who-authorised-person = Your organisation's authorised person
who-local-administrator = Your local administrator
who-authority = The authority
who-nobody = Nobody
must-act-qualified-expired = the qualified certificate has ended; a first certificate must be issued anew
must-act-commercial-expired = the commercial certificate has ended; a first certificate must be issued anew
must-act-login-expired = the account can be opened only by the ended certificate; bind a new one by hand
must-act-device-ended = the device is not certified any more; get a new one
must-act-authority-refuses = the authority would refuse the request; see the reason above
must-act-no-room-and-no-login = there is no room on the device and no login to the account; add the new certificate to the account by hand
must-act-no-room = there is no room on the device and nothing on it may go
must-act-no-login = no login to the account works; add the new certificate to the account by hand
must-act-agree-to-lose-old-mail = a key that must make room may be needed to read older mail; give --lose-old-mail if you agree to lose that

error-other = Something unexpected happened. Nothing was lost; run "obnova doctor" and send its output to your help desk.
error-pin-needed = The PIN or password is needed. Run it in a terminal, or give --pin-stdin or --pin-file.
error-pin-incorrect = The PIN or password is wrong. It was tried once and will not be tried again by itself; run the command again.
error-pin-count-low = A wrong PIN was tried before. After a few more the device blocks it, and only the PUK helps then: look at the paper that came with the device.
error-puk-incorrect = The PUK is wrong. It was tried once and will not be tried again by itself. After too many wrong ones the device is useless: look at the paper that came with it.
error-puk-incorrect-last-try = The PUK is wrong, and one try is left. After that the device is useless: be sure of it first, then give --last-try.
error-puk-locked = The PUK is locked, so this device cannot be unblocked any more. Ask your authority about a new device; the certificates on it should be revoked.
error-puk-last-try = One try of the PUK is left, and it was not spent. After that the device is useless: be sure of it, then give --last-try.
error-no-puk = This store has no PUK. The password of a file cannot be recovered: a copy under a known password is the way.
error-pin-length = The new PIN is too short or too long for this device; how long it may be stands below. Nothing was sent.
error-key-waits = A key in this file waits for its certificate. Run "obnova resume" to the end first, then change the password.
error-choose-store = There are several stores: say which with --store.
error-clock-wrong = The clock of this computer is wrong. Set it, then run the command again; nothing was lost.
error-pin-incorrect-last-try = The PIN is wrong and one try is left. Be sure of it before you run the command again with --last-try.
error-pin-locked = The PIN is blocked. Unblock it with the PUK in the device's own program, or ask your help desk; then "obnova resume".
error-pin-last-try = One PIN try is left, so it was not spent. If you are sure of the PIN, run the command again with --last-try.
error-store-gone = The token is not here. Plug it in (the same one) and run "obnova resume"; nothing was lost.
error-store-full = There is no room on the device (the guide's error 621). The certificate is safe with us: what may go stands below (obnova clean); then "obnova resume" installs it without a new request.
error-store-busy = Another obnova works with this device now. Wait for it to finish.
error-key-missing = The key of this certificate is not here. Plug in the device that holds it.
error-not-our-key = The certificate belongs to a key that is not here, so it was not written.
error-not-stored = The device said yes, but what was written is not on it: it is probably full (error 621). A certificate that was issued is safe with us: make room, then "obnova resume".
error-key-kind-unsupported = The device cannot make this kind of key. Choose another with --key.
error-module-error = The device's module answered with an error. Plug the device out and in, then "obnova resume"; nothing was lost.
error-module-missing = The module of the device could not be loaded. Check its path in obnova.toml, or install the device's middleware.
error-file-error = A file could not be read or written. Check the disk and its rights, then run "obnova resume"; what was written before is whole.
error-journal-error = The journal of the renewal could not be written or read, so nothing more was done. Check the disk (is it full?), then run "obnova resume".
error-newer-version = This was written by a newer version of obnova. Install that version; nothing was changed or lost.
error-settings-wrong = obnova.toml cannot be read. Mend the line that is named.
error-no-store = No store is known. Name a PKCS#11 module or a PKCS#12 file in obnova.toml ([[store]]), or give --module or --file.
error-no-authority = No authority is known yet. Enrol by an invitation, or give --cmp and --anchor.
error-authority-unknown = None of the known authorities issued this certificate. Give its address and trust anchor with --cmp and --anchor.
error-authority-record-damaged = The record of an authority cannot be read. Enrol again, or give --cmp and --anchor.
error-authority-unreachable = The authority does not answer. Nothing was lost: run "obnova resume" later; the same request is sent again.
error-connection-not-trusted = The connection is not trusted, so nothing was sent. Check the clock of this computer, then ask the authority whether its certificate changed.
error-authority-http-error = The authority answered with an error. Run "obnova resume" later; nothing was lost.
error-authority-answer-untrusted = Somebody answered who is not the authority, so nothing of it was believed. What was sent may have arrived: run "obnova resume" later; the same request is sent again. If the authority signs its answers with a certificate of its own, give it with --cmp-signer.
error-authority-answer-malformed = The authority's answer cannot be believed or read, so it was not used. Run "obnova resume" later; if it happens again, send this line to the authority.
error-authority-busy = The authority cannot do this now. Nothing was lost: run "obnova resume" later; the same request is sent again.
error-authority-lost-request = The authority does not answer for the request that it took. Your old certificate still works and the new key is kept. Ask the authority; "obnova resume --ask-again" sends a new request for the same key.
error-authority-refused = The authority refused. The reason is below; your old certificate still works.
error-address-wrong = The address is not an http or https address.
error-signing-failed = The key did not sign. Plug the device out and in, then "obnova resume".
error-nothing-to-renew = No certificate of that kind is here. "obnova list" shows what there is.
error-nothing-due = Nothing is due for renewal yet. "obnova list" shows the dates; --early renews before the window opens.
error-nobody-made-a-key = No key was made, because the plan cannot be finished as things stand. Who must act is said above.
error-renewal-open = This certificate is on its way already. "obnova resume" goes on with it; a second key is never made.
error-invitation-in-use = This invitation is in use already. "obnova resume --invitation FILE" goes on with it; a second key is never made.
error-already-renewed = This certificate has its successor already; a second one is never made. "obnova list" shows it.
error-no-plan = There is nothing to go on with.
error-middleware-old = The device's middleware is older than the authority works with (the guide's error 622). No key was made. Install the version named below, then run the command again.
error-new-key-lost = The new key is not on the device any more. Nothing was sent with it by us again; ask your help desk.
error-proof-failed = The key signed, but the certificate does not verify it: they do not belong together. The old certificate still works; send this line to your help desk.
error-certificate-not-valid-now = The certificate is not valid at this computer's time. The clock is probably wrong: set it, then "obnova resume". The certificate is kept.
error-certificate-malformed = The certificate that came cannot be read. It is kept; send this line to your help desk.
error-certificate-other-key = The certificate that came is for another key, so it was not taken over.
error-certificate-other-subject = The certificate that came names somebody else, so it was not taken over.
error-certificate-other-kind = The certificate that came is of another kind, so it was not taken over.
error-certificate-not-trusted = The certificate does not lead to the authority's root just now. It is kept; run "obnova resume" later.
error-no-anchor = The authority sent no root that could be trusted.
error-root-differs = The authority's root is not the one of the invitation, so nothing was trusted. Ask the office for a new invitation.
error-invitation-needed = This journey began with an invitation. Give it again with --invitation.
error-invitation-wrong = The invitation cannot be read.
error-certificate-not-found = There is no such certificate in the stores. "obnova list" shows what there is.
error-serial-wrong = This is not a serial number. Decimal and hexadecimal digits are taken, with or without separators.
error-choose-certificate = Say which certificate: a serial number, a kind, or --all.
error-login-failed = The login with this certificate does not work; the identity space says why below.
error-rehearsal-failed = The login with the new certificate does not work yet, so the old one was kept. Run "obnova resume" later, or ask your local administrator.
error-identity-refused = The identity space refused. Its words are below; the old login still works.
error-no-identity = This authority names no identity space.
error-not-agreed = Nothing was done, because nobody agreed. Answer yes, or give --yes.
error-stays-no-successor = It must stay: it is valid and has no tested successor. Renew it first; revocation is the other way.
error-stays-not-registered = It must stay: its successor is not registered everywhere yet. Run "obnova resume" first.
error-stays-decrypts = It must stay: its key may be needed to read older mail. If you agree to lose that, give --lose-old-mail.
error-passwords-differ = The two passwords differ. Nothing was made; try again.
error-anchor-wrong = The trust anchor cannot be read as a certificate.
error-tls-pin-needed = For an https address give --tls-sha256, the SHA-256 of the root of its TLS certificate.

login-failed = The login did not succeed
login-no-certificate = No certificate was shown. Plug in your token and open the page again, then choose your commercial certificate.
login-expired = This certificate has ended, so it does not open the account. Ask your local administrator to bind a new one.
login-not-yet-valid = This certificate is not valid yet. Check the clock.
login-untrusted = This certificate was issued by an authority that is not accepted here.
login-wrong-kind = This is a qualified certificate; it is for signatures. Log in with the commercial one.
login-revoked = This certificate was revoked. Log in with another, or ask your local administrator.
login-unknown = No account knows this certificate. Add it while you are logged in with the old one, or ask your local administrator.
login-status-unknown = It could not be found out whether the certificate was revoked. Try again in a few minutes.
identity-refused = Not done
identity-account-exists = There is such an account already.
identity-account-field = The login, the name, the organisation or the e-mail address has a character that must not be there, or is missing.
identity-account-unknown = There is no such account.
identity-serial-wrong = This is not a serial number.
identity-issuer-unknown = No accepted issuer has this name, or more than one has.
identity-bound-elsewhere = This certificate belongs to another account.
identity-bound-already = This certificate is in the account already.
identity-last-login = This would remove the last certificate that is known to log in, so it stays.
identity-this-login = You are logged in with this certificate; log in with the other one to remove it.
identity-not-bound = This certificate is in no account here.
identity-other-site = The request came from another site and was not done.
identity-not-logged-in = Log in with a certificate first.
identity-statement-malformed = The statement cannot be read.
identity-statement-other-audience = The statement is meant for another identity space.
identity-statement-old = The statement is too old, or from the future. Check the clock.
identity-statement-signers = The statement is not signed by both certificates of the same person.
identity-statement-certificate = One of the two certificates does not log in here.
logged-in-as = Logged in:
account-of = Account { $login }
account-certificates = Certificates that open this account
added = Added
added-administrator = by an administrator
added-typed = typed by you
added-statement = by a signed statement
state = State
binding-current = you are logged in with it
binding-proven = has logged in before
binding-never-used = has never logged in
add-successor = Add a certificate by its number
add = Add

mail-issued-subject = Your certificate was issued
mail-issued-body =
    Dear { $name },

    your certificate ({ $kind }) was issued.
    Serial number: { $decimal } (0x{ $hexadecimal })

    obnova takes it over by itself. If it is not running, start "obnova resume".
mail-refused-subject = Your request for a certificate was refused
mail-refused-body =
    Dear { $name },

    your request { $number } was refused.
    Reason: { $why }

    Your old certificate still works. Please turn to the authorised person of { $organisation }.
mail-expiring-subject = Your certificate ends soon
mail-expiring-body =
    Dear { $name },

    your certificate ({ $kind }, 0x{ $hexadecimal }) ends in { $days ->
        [one] { $days } day
       *[other] { $days } days
    }.

    Please start "obnova renew --all". It takes a few minutes and nothing can be lost.
mail-bound-subject = A certificate was added to your account
mail-bound-body =
    Dear { $name },

    this certificate now opens the account { $account }:
    serial number { $decimal } (0x{ $hexadecimal })

    If it was not you, tell your local administrator at once.
error-managed-elsewhere = Keys and certificates of this device are written under an administrator's login, not under your PIN. Renew it with the tool of whoever manages it, or onto another device ("obnova renew --onto STORE"), a commercial certificate also into a file (--to-file); everything else works here.
error-not-possible-here = This store cannot do that.
error-write-failed = The device refused to store this with a general error. Most often it means that the device is full; it was counted again, and what may go stands below (obnova clean). Nothing is lost, "obnova resume" tries again.
error-module-silent = The device's software did not answer in time and was stopped. Take the device out and put it back, then try again; if it goes on, restart the computer or reinstall the software of the device.
error-module-crashed = The device's software crashed. Nothing else was affected; try again. If it goes on, install a newer version of the software of the device.
error-key-size-ended = Keys of this length get no new certificates any more. Choose a longer one, or leave the choice to the program.
error-device-too-weak = The device makes only keys that are too short for new certificates. You need a new device; a commercial certificate can also live in a file (--to-file).
error-not-archived = No such certificate was removed here, so there is nothing to put back.
error-stays-waits = The key stays: its certificate is on the way, and without the key it could never be installed.
error-stays-unknown-request = The key has no certificate, and nobody here knows of a request for it. It stays, because a certificate may still come for it. If you are sure that none will: obnova clean --give-up with the beginning of its fingerprint.
error-stays-authority = It is an authority's certificate, not a person's; it stays.
goes-superseded = may go: its successor works everywhere
goes-expired = may go: it has ended and its key decrypts nothing
goes-refused = may go: its request was refused
goes-given-up = may go: you gave it up
stays-no-successor = stays: valid, and no successor of it was tested
stays-not-registered = stays: valid, and its successor is not known everywhere yet
stays-decrypts = stays: its key may decrypt your old mail
stays-waits = stays: its certificate is on the way
stays-unknown-request = stays: a certificate may still come for it
stays-authority = stays: it belongs to an authority
device-qualified = on a qualified device, certified until { $until }
device-ended = its device stopped being a qualified one on { $until }
device-unknown = says it is on a qualified device; that cannot be checked here (ask the authority by the device's serial number)
device-elsewhere = says it is on a qualified device, but it is kept in a file: it was not made there
unfit-authority = an authority's certificate
unfit-self-made = a mark that the device made itself
unfit-expired = has ended, cannot be renewed
unfit-key-kind = its key is of a kind that is not used here
clean-title = { $name }: what may go and what stays
clean-key = key without a certificate
clean-nothing = Nothing may go.
clean-done = Removed: { $count }. Before: { $before }; after: { $after }.
clean-counts = certificates { $certificates }, keys { $keys }
ask-clean = Remove what may go? Public parts are archived first, the keys are gone for ever.
restored = The public part of { $serial } is back in { $store }. Its key is gone for ever, so it signs nothing.
error-not-exportable = This key cannot leave its store; that is what such stores are for. A new key on the other device comes by renewal: obnova renew NUMBER --onto DEVICE.
error-password-wrong = The password of the file is wrong, or the file was changed. Nothing was written.
error-pfx-wrong = The file cannot be read as PKCS#12 (PFX), or its key cannot be used. Nothing was written.
error-pfx-empty = The file holds no key with its certificate. Export it again, with the private key.
error-key-does-not-match = The key in the file does not belong to the certificate. Nothing was written.
error-certificate-ended = The certificate has ended, so it is of no use on the device. Nothing was written.
error-same-store = It is in that store already.
error-file-exists = There is a file of that name already, and nothing is overwritten. Choose another name.
error-backup-differs = The copy differs from the original. Try another medium, and keep the original.
error-name-not-typed = The name of the device was not typed as it is, so nothing was erased.
ask-new-puk = New PUK of "{ $store }":
ask-puk-again = The same PUK again:
puk-changed = The PUK is changed. Keep it where you will find it when the PIN is locked.
no-device = No device is inserted, or its software is not installed: "obnova doctor" tells more.
token-named = The device is called "{ $name }" here from now on. The device itself was not changed.
token-known-as = looks like { $name } ({ $source })
token-keys = keys it makes
standing-qualified = certified as a qualified device until { $until }
standing-ended = its certification as a qualified device ended on { $until }
standing-unknown = nothing is known of its certification as a qualified device
room-known = free { $free } of { $total } octets (told by the device)
room-unknown = the device does not tell how much room it has
room-believed = room for { $pairs } pairs is believed
room-counted = counted: { $certificates } certificates, { $octets } octets
initialise-loses = This erases EVERYTHING on "{ $store }" for ever, all keys with it:
ask-type-name = Type the name of the device, { $store }, to erase it:
initialised = The device is empty and is called "{ $name }". Public parts of what it held are in the archive.
import-done = { $serial } is in { $store } now; its key signed and the certificate verified it.
import-was-there = { $serial } was in { $store } already; it works.
import-not-made-there = Mind: the key came from outside. It was not made on the device, so it is no key on a qualified device.
exported = Written to { $file }.
backup-done = Copied to { $file } and compared (SHA-256 { $sha256 }); keys tried in the copy: { $tested }.
error-field-missing = The authority wants to know this, and it stands nowhere here. Say it by --field NAME=VALUE; nothing is invented. No key was made.
error-field-wrong = A field is written NAME=VALUE, in one line of at most 200 characters.
error-description-needed = It is not known how this authority is asked. Give its description by --authority (postsignum, or a file).
error-description-wrong = The description of the authority cannot be read.
error-no-mail-address = The certificate names no e-mail address, so no signed message can come from it.
error-predecessor-needed = This way asks with the certificate that is to be renewed; without one it cannot be taken.
error-nothing-to-adopt = No renewal that was begun elsewhere was found: no newer certificate of the same person, and no key without a certificate.
error-anchor-needed = The authority's own certificate is needed to check what came. Fetch it from the address below, compare it with the authority's page, and give it by --anchor.
error-nothing-to-pick-up = No certificate is in there. Wanted is a certificate (DER or PEM), a PKCS#7 file, or a mail with one of these.
error-nobody-waits = No renewal here waits for this certificate. If it was begun elsewhere: obnova adopt.
error-no-such-account = No account of this name is known; obnova account lists them.
error-est-needs-https = EST is spoken over https only.
error-stays-only-said = It must stay: that the account knows the successor is only your word. If it does not, you lose your way in. Log in with the new one first; if you are sure, type the number of the old one: obnova retire NUMBER --typed NUMBER.
stays-only-said = stays: that the account knows the successor is only your word
ask-field = { $field }:
ask-field-optional = { $field } (may be left out):
request-field = { $field }: { $value }   [{ $source }]
request-not-tried = The description of { $name } was written from its public pages ({ $read }) and has not been tried there. Read the message before you send it.
request-draft = The signed message for { $to } is in { $file }. Nothing was sent. When the certificate comes: obnova pickup FILE.
adopted-installed = Taken over ({ $journey }): the successor is installed already.
adopted-waiting = Taken over ({ $journey }): a key waits for its certificate.
picked-up = Taken: { $serial }.
account-tell = { $account } must be told by hand: { $page }. "obnova account" shows what to type; then: obnova account NUMBER --told { $account }.
account-not-told = not told yet
account-said = told, as you say
account-confirmed = confirmed by the other side
copied = The decimal number is in the clipboard.
no-clipboard = No clipboard program was found; copy it by hand.
reason-request-mailed = the request goes by mail; when the certificate comes, give it to obnova pickup
error-schedule-refused = The system did not take the daily task. Run obnova remind by hand, or put it into your own schedule.
error-no-desktop = No notice could be shown on the desktop; what it would have said stands below.
error-help-unknown = The settings do not say whom to ask for help. Fill in the named line of obnova.toml: [help] to, organisation (IČO), reference.
remind-ends = { $kind } certificate of { $name } ends on { $day }
remind-title = Certificates that end
remind-nothing = Nothing ends in the next 60 days.
schedule-active = From now on you are reminded once a day.
schedule-written = You are reminded once a day from the next login on.
schedule-removed = You are not reminded any more.
doctor-repaired = Repaired: { $what }
bundle-written = The bundle for the help desk is in { $file }. It holds no PIN, password or key; read it before you send it.
message-written = The message for the help desk is in { $file }. Nothing was sent: open it in your mail program.
help-subject = Help with a certificate
help-greeting = Good day, I need help with the renewal of a certificate. What the program found is below and in the attachment.
error-backup-undecided = The new key would live in a file only, and go with its disk. Say where its copy goes (--backup-to FOLDER, best on another medium), or that you want none (--no-backup); obnova.toml remembers it as backup = "FOLDER" or backup = false. No key was made.
standing-perhaps = if it is what it looks like, its certification as a qualified device ends on { $until }; ask the authority by its serial number
error-store-unknown = No store of this name is at hand; those that are stand below. If it is a device, insert it.
list-login = a login of its own: { $name }
card-unseen = A card that no program here can read, in the reader { $reader }.
card-blank = A card that nobody initialised yet, or that cannot be read now, in the reader { $reader }.
card-looks-like = It looks like { $card }.
card-unknown = What it is, is not known here; its answer to reset is { $atr }. Ask whoever gave you the card for its middleware.
card-needs = It needs the middleware { $middleware }: { $download }
card-administrator = Installing it needs administrator rights; "obnova doctor --administrator FILE" writes a text that you can send them.
card-yourself = You can install it yourself.
card-ask = "obnova doctor --administrator FILE" writes a text with all that is known, to send to your administrator.
not-known = not known
administrator-greeting = Good day, a card with certificates cannot be used on my computer, because the middleware for it is missing. Please install it:
administrator-card = Card: { $card }, in the reader { $reader }
administrator-atr = Its answer to reset (ATR): { $atr }
administrator-install = To install: { $middleware }, from { $download }
administrator-computer = Computer: { $system }. The middleware has to be of the same width (64 bits) as this program.
administrator-check = Afterwards "obnova list" shows the certificates of the card, and nothing needs to be set.
administrator-written = What to ask the administrator for is in { $file }.
administrator-not-needed = Every card here can be used; nobody has to install anything.
doctor-card = card
doctor-readers = readers
error-card-unseen = No program on this computer can read this card. "obnova list" tells which middleware it needs; "obnova doctor --administrator FILE" writes what to ask your administrator for.
error-card-blank = The card was not initialised, or does not answer just now. Pull it and insert it again; if that does not help, have it initialised by whoever gave it to you.
error-readers-no-service = The system's service for card readers does not run. On Linux: start pcscd (systemctl start pcscd.socket); on Windows: start the service "Smart Card".
error-readers-no-library = This system has no support for card readers. On Linux install the packages pcscd and libpcsclite1; without them no token is seen.
error-unblock-elsewhere = The PIN of this card is unblocked by its own tool only, with the card's PUK. Nothing was sent to the card.
pin-unblocked-with = unblocked by { $tool }
error-another-key = The device signed with another key than the one that it shows: probably a certificate of another key was written beside it. Nothing was sent. Have the right certificate written there by whoever manages the device, or renew onto another one.
reason-unasked = will be asked for; this authority says nothing beforehand
chain-placed = { $store } knows these authorities now: { $names }
nothing-found = No certificate here has these words.
error-no-browser = There is no database of a browser here. Start the browser once, or name a store with --store.
error-no-program = This system has no program for it; open it yourself.
error-shortcut-refused = The system did not take the shortcut.

# What cannot be read, what is kept, what changes.
error-stays-claimed = A certificate on it that this program cannot read may belong to this key, so the key stays. If you are sure that it does not: obnova clean --unrelated with the beginning of what the certificate is found by.
error-stays-unread = Not every part of it can be read, so it stays.
error-stays-issued = The authority issued a certificate for this key, which was not taken over here. Certificate and key are kept. If you are sure that it is never needed: obnova clean --give-up with the beginning of the key's fingerprint.
error-holds-others = The file holds something that opens with another password, so its own was not changed. Nothing was written. Take that out with the program that put it in.
error-not-a-pin = What was given cannot be a PIN or password: it is empty, or has characters that no keyboard makes. Nothing was sent, and no try was spent.
error-secret-not-text = The file with the PIN or password is no text (UTF-8). Nothing was sent, and no try was spent.
error-secret-for-another = The PIN or password that was given is for another device or file, so it was not sent to this one. Give the PIN of a token with --pin-file and the password of a file with --file-password-file, one device at a time.
error-certificate-unread = There is a certificate that this program cannot read. It is kept as it is, and so is its key.
error-certificate-not-taken = The authority issued a certificate, and this program does not take it over; the reason is below. The certificate is kept in the archive and its key where it is; your old certificate still works. Ask the authority.
error-certificate-ambiguous = Several certificates are meant. Give the serial number of the one that you want; they are below.
error-key-kind-not-issued = The authority issues no certificates for the keys that this device makes. Choose another device with --onto, or a file with --to-file.
must-act-agree-to-lose-abilities = The successor cannot do everything that your certificate can. If you agree to that: --lose-abilities. Otherwise choose another device with --onto, or a file with --to-file.
stays-claimed = stays: a certificate that cannot be read may belong to it
stays-unread = stays: it cannot be read
stays-issued = stays: a certificate was issued for it, which was not taken over here
clean-copies = stored { $count } times; the copies go together
clean-claimed-by = may belong to the unreadable certificate { $identity }
item-not-taken = issued, and not taken over here
key-changes = the kind of key changes: { $old } now, { $new } then
loses-encryption = the new certificate cannot be used for encryption
unread-certificate = A certificate that this program cannot read: { $number } { $name }
unread-why = why: { $why }
room-unread = { $count } of them cannot be read
left-ended = left out: 0x{ $number } has ended
left-older = left out: 0x{ $number }, an older certificate of the same key
left-unread = left out: a certificate that cannot be read ({ $number })
left-foreign = left out: { $number } other things that are neither keys nor certificates
reason-already-renewed = a successor of this certificate exists, or is on its way
reason-weak-key = the key is too weak; make a new one
