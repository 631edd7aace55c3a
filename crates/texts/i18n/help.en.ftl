# Help of the programs, in English. Every key stands in help.cs.ftl too; a test compares them, and tests of the
# programs find that no command and no flag is without words.

help-usage = Usage:
help-commands = Commands
help-arguments = What it is about
help-options = Options
help-everywhere = Options of every command
help-help = Print this help.
help-version = Print the version.
help-command = COMMAND
usage-wrong = Wrong usage

help-obnova = Certificates on tokens and in files, renewed without ever being without one.
help-obnova-before = Examples:
    { "  " }obnova list                     what I have, and until when
    { "  " }obnova renew --all              renew everything that is due, in a safe order
    { "  " }obnova resume                   go on after a break, a pulled token or a day of waiting
help-obnova-after = Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 waiting for the authority.
help-obnova-home = Folder of settings, journals and archive (default: the system's place for such things, or OBNOVA_HOME).
help-obnova-lang = Language: cs or en (default: LC_ALL, then LANG).
help-obnova-json = Print data as JSON on standard output; progress is then JSON lines on standard error.
help-obnova-plain = Plain lines, nothing redrawn: for screen readers and logs.
help-obnova-pin_stdin = Read the PIN or password from the first line of standard input.
help-obnova-pin_file = Read the PIN or password from a file.
help-obnova-file_password_file = Read the password of PKCS#12 files from a file, when it is not the PIN of the token.
help-obnova-last_try = Allow the last PIN try to be spent.
help-obnova-yes = Answer yes where a question would be asked.
help-obnova-module = A further PKCS#11 module.
help-obnova-file = A further PKCS#12 file.
help-obnova-demo_days_back = Days that the clock is set back; for demonstrations.
help-obnova-list = List certificates of all stores.
help-obnova-show = Show one certificate, with its serial number in both notations.
help-obnova-show-certificate = Serial number, decimal or hexadecimal, or kind (qualified, commercial).
help-obnova-enroll = Get a first certificate by an invitation.
help-obnova-enroll-invitation = The invitation (JSON) from the registration office.
help-obnova-enroll-store = Store: its name or a part of its identifier.
help-obnova-enroll-key = Kind of the key: p256, p384, rsa3072, rsa4096.
help-obnova-renew = Renew certificates: one, or all that are due as one plan.
help-obnova-renew-certificate = Serial number or kind; with --all everything that is due.
help-obnova-renew-all = Everything that is due.
help-obnova-renew-dry_run = Only show the plan.
help-obnova-renew-key = Kind of the new keys: p256, p384, rsa3072, rsa4096.
help-obnova-renew-early = Also before the renewal window opens.
help-obnova-renew-to_file = PKCS#12 file for a certificate that finds no room on the device.
help-obnova-renew-lose_old_mail = I agree to lose what only a key that makes room can decrypt.
help-obnova-renew-cmp = A CMP authority that is not known yet: its address.
help-obnova-renew-anchor = Its trust anchor (PEM or DER).
help-obnova-renew-tls_sha256 = SHA-256 of the root of its TLS certificate, when the address is https.
help-obnova-status = Show renewals and where they stand.
help-obnova-resume = Go on with every renewal that is not finished.
help-obnova-resume-invitation = The invitation again, for a first certificate.
help-obnova-resume-ask_again = Send a new request for the same key, when the authority lost the first one.
help-obnova-install = Install a certificate that came: goes on with its renewal.
help-obnova-prove = Sign a fresh challenge with a certificate's key and verify it.
help-obnova-prove-certificate = Serial number or kind.
help-obnova-register = Tell the account about a successor, or log in to see what it knows.
help-obnova-register-certificate = Serial number or kind of the certificate that the account is to know.
help-obnova-register-with = Another certificate that opens the account today: the first one is added by its serial number.
help-obnova-retire = Remove an old certificate with its key, when the rules allow it.
help-obnova-retire-certificate = Serial number.
help-obnova-retire-lose_old_mail = I agree to lose what only this key can decrypt.
help-obnova-pin = The PIN of a device, or the password of a file: look, try, change, unblock.
help-obnova-pin-status = Show what the device says of its PIN and PUK; nothing is tried.
help-obnova-pin-status-store = Store: its name or a part of its identifier.
help-obnova-pin-verify = Try the PIN once.
help-obnova-pin-verify-store = Store: its name or a part of its identifier.
help-obnova-pin-change = Change the PIN or password.
help-obnova-pin-change-store = Store: its name or a part of its identifier.
help-obnova-pin-change-new_pin_file = Read the new one from a file.
help-obnova-pin-unblock = Set a new PIN by the PUK, also when the PIN is locked.
help-obnova-pin-unblock-store = Store: its name or a part of its identifier.
help-obnova-pin-unblock-puk_file = Read the PUK from a file.
help-obnova-pin-unblock-new_pin_file = Read the new PIN from a file.
help-obnova-doctor = Check what a help desk would ask for.

help-server = The authority and the identity space of obnova.
help-server-before = Examples:
    { "  " }obnova-server init --dir /srv/obnova --organisation "My Office" --passphrase-file /run/secrets/obnova
    { "  " }obnova-server office import people.csv --dir /srv/obnova --passphrase-file /run/secrets/obnova
    { "  " }obnova-server run --dir /srv/obnova --passphrase-file /run/secrets/obnova
help-server-after = Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
help-server-dir = Folder with obnova-server.toml, keys and databases.
help-server-passphrase_file = File with the passphrase of the keys ("-" reads standard input).
help-server-json = Print data as JSON.
help-server-lang = Language: cs or en (default: LC_ALL, then LANG).
help-server-demo_days_back = Days that the clock is set back; only where the configuration says demonstration = true.
help-server-init = Make keys and certificates of a new authority; the configuration must be there.
help-server-init-organisation = Name of the organisation that runs it.
help-server-init-prefix = Put in front of every common name.
help-server-init-issuer_key = Kind of the issuing keys: p256, p384, rsa3072 or rsa4096.
help-server-run = Serve all roles until stopped.
help-server-invite = Invite an applicant to a first certificate; prints reference and code.
help-server-invite-applicant = Number of the applicant.
help-server-invite-profile = Profile: qualified, qualified-device or commercial, with -3y for three years.
help-server-office = The registration office.
help-server-office-import = Import organisations, contracts and applicants from CSV or TOML; all rows or none.
help-server-office-import-file = The file.
help-server-request = Requests for certificates.
help-server-request-list = List all requests.
help-server-request-approve = Approve a waiting request.
help-server-request-approve-id = Its number.
help-server-request-refuse = Refuse a waiting request.
help-server-request-refuse-id = Its number.
help-server-request-refuse-why = The reason, for the applicant.
help-server-account = Accounts of the identity space.
help-server-account-add = Make an account.
help-server-account-add-login = Login name.
help-server-account-add-name = Name of the person.
help-server-account-add-email = E-mail address.
help-server-account-add-organisation = Organisation.
help-server-account-add-administrator = It is a local administrator.
help-server-account-bind = Bind a certificate to an account, as a local administrator does.
help-server-account-bind-login = Login name.
help-server-account-bind-issuer = Issuer, by its name or a part of it.
help-server-account-bind-serial = Serial number, decimal or hexadecimal.
help-server-account-show = Show an account.
help-server-account-show-login = Login name.
help-server-revoke = Revoke a certificate.
help-server-revoke-issuer = Issuing authority: qualified or commercial.
help-server-revoke-serial = Serial number, decimal or hexadecimal (0x...).
help-server-revoke-reason = Reason: superseded, key-compromise, affiliation-changed, cessation.
help-server-health = Check databases and audit logs.

server-made = The authority is made. SHA-256 of its root: { $sha256 }
    Move keys/root.key to a safe place: it is needed only for a new issuing authority.
server-ready = ready: authority { $authority }, identity { $identity }
server-invitation = Invitation for { $name } ({ $profile })
server-invitation-authority = authority
server-invitation-reference = reference
server-invitation-code = code
server-invitation-root = root (SHA-256)
server-invitation-tls = TLS root (SHA-256)
server-imported = imported applicants: { $count }
server-revoked = revoked: { $issuer } { $serial }
server-health = audit logs are whole: authority { $authority } entries, identity { $identity } entries
server-approved = approved: { $id }
server-refused = refused: { $id }
server-account-made = account made: { $login }
server-bound = bound: { $serial } to { $login }
server-no-account = there is no account { $login }
