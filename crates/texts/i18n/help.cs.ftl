# Nápověda programů česky. Každý klíč stojí i v help.en.ftl; porovnává je test a testy programů hledají příkazy
# a přepínače beze slov.

help-usage = Použití:
help-commands = Příkazy
help-arguments = Čeho se týká
help-options = Volby
help-everywhere = Volby všech příkazů
help-help = Vypíše tuto nápovědu.
help-version = Vypíše verzi.
help-command = PŘÍKAZ
usage-wrong = Nesprávné použití

help-obnova = Certifikáty na tokenech a v souborech, obnovené tak, že nikdy nejste bez platného.
help-obnova-before = Příklady:
    { "  " }obnova list                     co mám a do kdy to platí
    { "  " }obnova renew --all              obnovit vše, čemu se blíží konec, v bezpečném pořadí
    { "  " }obnova resume                   pokračovat po přerušení, vytažení tokenu nebo dni čekání
help-obnova-after = Návratové kódy: 0 hotovo, 1 odmítnuto nebo selhalo, 2 nesprávné použití, 3 čeká se na autoritu.
help-obnova-home = Složka nastavení, deníků a archivu (jinak místo, které k tomu určuje systém, nebo OBNOVA_HOME).
help-obnova-lang = Jazyk: cs nebo en (jinak LC_ALL, potom LANG).
help-obnova-json = Data jako JSON na standardní výstup; průběh jsou pak řádky JSON na chybovém výstupu.
help-obnova-plain = Prosté řádky, nic se nepřekresluje: pro odečítače obrazovky a záznamy.
help-obnova-pin_stdin = PIN nebo heslo se přečte z prvního řádku standardního vstupu.
help-obnova-pin_file = PIN nebo heslo se přečte ze souboru.
help-obnova-file_password_file = Heslo souborů PKCS#12 se přečte ze souboru, není-li to PIN tokenu.
help-obnova-last_try = Dovolit spotřebovat poslední pokus o PIN.
help-obnova-yes = Na otázky odpovědět ano.
help-obnova-module = Další modul PKCS#11.
help-obnova-file = Další soubor PKCS#12.
help-obnova-demo_days_back = O kolik dní jsou hodiny posunuty zpět; pro ukázky.
help-obnova-list = Vypíše certifikáty všech úložišť.
help-obnova-show = Ukáže jeden certifikát se sériovým číslem v obou zápisech.
help-obnova-show-certificate = Sériové číslo desítkově nebo šestnáctkově, nebo druh (qualified, commercial).
help-obnova-enroll = Získá prvotní certifikát podle pozvánky.
help-obnova-enroll-invitation = Pozvánka (JSON) od registrační autority.
help-obnova-enroll-store = Úložiště: jeho jméno nebo část označení.
help-obnova-enroll-key = Druh klíče: p256, p384, rsa3072, rsa4096.
help-obnova-renew = Obnoví certifikáty: jeden, nebo všechny, kterým se blíží konec, jako jeden plán.
help-obnova-renew-certificate = Sériové číslo nebo druh; s --all vše, čemu se blíží konec.
help-obnova-renew-all = Vše, čemu se blíží konec.
help-obnova-renew-dry_run = Jen ukázat plán.
help-obnova-renew-key = Druh nových klíčů: p256, p384, rsa3072, rsa4096.
help-obnova-renew-early = I dříve, než se období obnovy otevře.
help-obnova-renew-to_file = Soubor PKCS#12 pro certifikát, na který není na zařízení místo.
help-obnova-renew-lose_old_mail = Souhlasím se ztrátou toho, co přečte jen klíč, který uvolní místo.
help-obnova-renew-cmp = Adresa autority CMP, která ještě není známa.
help-obnova-renew-anchor = Její kotva důvěry (PEM nebo DER).
help-obnova-renew-tls_sha256 = SHA-256 kořene jejího certifikátu TLS, je-li adresa https.
help-obnova-status = Ukáže obnovy a kam dospěly.
help-obnova-resume = Pokračuje v každé nedokončené obnově.
help-obnova-resume-invitation = Znovu pozvánka, jde-li o prvotní certifikát.
help-obnova-resume-ask_again = Poslat novou žádost o tentýž klíč, když autorita první ztratila.
help-obnova-install = Nainstaluje certifikát, který přišel: pokračuje v jeho obnově.
help-obnova-prove = Podepíše novou výzvu klíčem certifikátu a podpis ověří.
help-obnova-prove-certificate = Sériové číslo nebo druh.
help-obnova-register = Oznámí účtu následný certifikát, nebo se přihlásí a ukáže, co účet zná.
help-obnova-register-certificate = Sériové číslo nebo druh certifikátu, který má účet znát.
help-obnova-register-with = Jiný certifikát, který účet otevírá dnes: první se přidá podle sériového čísla.
help-obnova-retire = Odstraní starý certifikát i s klíčem, když to pravidla dovolí.
help-obnova-retire-certificate = Sériové číslo.
help-obnova-retire-lose_old_mail = Souhlasím se ztrátou toho, co přečte jen tento klíč.
help-obnova-pin = PIN zařízení nebo heslo souboru: podívat se, vyzkoušet, změnit, odblokovat.
help-obnova-pin-status = Ukáže, co zařízení říká o svém PINu a PUKu; nic se nezkouší.
help-obnova-pin-status-store = Úložiště: jeho jméno nebo část označení.
help-obnova-pin-verify = Jednou vyzkouší PIN.
help-obnova-pin-verify-store = Úložiště: jeho jméno nebo část označení.
help-obnova-pin-change = Změní PIN nebo heslo.
help-obnova-pin-change-store = Úložiště: jeho jméno nebo část označení.
help-obnova-pin-change-new_pin_file = Nový se přečte ze souboru.
help-obnova-pin-unblock = Nastaví nový PIN pomocí PUKu, i když je PIN zablokován.
help-obnova-pin-unblock-store = Úložiště: jeho jméno nebo část označení.
help-obnova-pin-unblock-puk_file = PUK se přečte ze souboru.
help-obnova-pin-unblock-new_pin_file = Nový PIN se přečte ze souboru.
help-obnova-doctor = Prověří to, na co by se ptala podpora.

help-server = Autorita a správa identit obnova.
help-server-before = Příklady:
    { "  " }obnova-server init --dir /srv/obnova --organisation "Můj úřad" --passphrase-file /run/secrets/obnova
    { "  " }obnova-server office import osoby.csv --dir /srv/obnova --passphrase-file /run/secrets/obnova
    { "  " }obnova-server run --dir /srv/obnova --passphrase-file /run/secrets/obnova
help-server-after = Návratové kódy: 0 hotovo, 1 odmítnuto nebo selhalo, 2 nesprávné použití.
help-server-dir = Složka s obnova-server.toml, klíči a databázemi.
help-server-passphrase_file = Soubor s heslem klíčů („-“ čte standardní vstup).
help-server-json = Data jako JSON.
help-server-lang = Jazyk: cs nebo en (jinak LC_ALL, potom LANG).
help-server-demo_days_back = O kolik dní jsou hodiny posunuty zpět; jen kde konfigurace říká demonstration = true.
help-server-init = Vytvoří klíče a certifikáty nové autority; konfigurace už musí být na místě.
help-server-init-organisation = Název organizace, která ji provozuje.
help-server-init-prefix = Co se předsadí každému obecnému jménu.
help-server-init-issuer_key = Druh vydávajících klíčů: p256, p384, rsa3072 nebo rsa4096.
help-server-run = Poskytuje všechny role, dokud není zastaven.
help-server-invite = Pozve žadatele k prvotnímu certifikátu; vypíše označení a kód.
help-server-invite-applicant = Číslo žadatele.
help-server-invite-profile = Profil: qualified, qualified-device nebo commercial, s -3y na tři roky.
help-server-office = Registrační místo.
help-server-office-import = Načte organizace, smlouvy a žadatele z CSV nebo TOML; všechny řádky, nebo žádný.
help-server-office-import-file = Soubor.
help-server-request = Žádosti o certifikáty.
help-server-request-list = Vypíše všechny žádosti.
help-server-request-approve = Schválí čekající žádost.
help-server-request-approve-id = Její číslo.
help-server-request-refuse = Odmítne čekající žádost.
help-server-request-refuse-id = Její číslo.
help-server-request-refuse-why = Důvod, pro žadatele.
help-server-account = Účty správy identit.
help-server-account-add = Založí účet.
help-server-account-add-login = Přihlašovací jméno.
help-server-account-add-name = Jméno osoby.
help-server-account-add-email = E-mailová adresa.
help-server-account-add-organisation = Organizace.
help-server-account-add-administrator = Je to lokální administrátor.
help-server-account-bind = Přiřadí účtu certifikát, jak to dělá lokální administrátor.
help-server-account-bind-login = Přihlašovací jméno.
help-server-account-bind-issuer = Vydavatel, jménem nebo jeho částí.
help-server-account-bind-serial = Sériové číslo desítkově nebo šestnáctkově.
help-server-account-show = Ukáže účet.
help-server-account-show-login = Přihlašovací jméno.
help-server-revoke = Zneplatní certifikát.
help-server-revoke-issuer = Vydávající autorita: qualified nebo commercial.
help-server-revoke-serial = Sériové číslo desítkově nebo šestnáctkově (0x...).
help-server-revoke-reason = Důvod: superseded, key-compromise, affiliation-changed, cessation.
help-server-health = Prověří databáze a auditní záznamy.

server-made = Autorita je vytvořena. SHA-256 jejího kořene: { $sha256 }
    Přesuňte keys/root.key na bezpečné místo: je potřeba jen pro novou vydávající autoritu.
server-ready = ready: autorita { $authority }, identita { $identity }
server-invitation = Pozvánka pro { $name } ({ $profile })
server-invitation-authority = autorita
server-invitation-reference = označení
server-invitation-code = kód
server-invitation-root = kořen (SHA-256)
server-invitation-tls = kořen TLS (SHA-256)
server-imported = načteno žadatelů: { $count }
server-revoked = zneplatněno: { $issuer } { $serial }
server-health = auditní záznamy jsou celé: autorita { $authority } položek, identita { $identity } položek
server-approved = schváleno: { $id }
server-refused = odmítnuto: { $id }
server-account-made = účet založen: { $login }
server-bound = přiřazeno: { $serial } účtu { $login }
server-no-account = účet { $login } neexistuje
