# České texty. Každý klíč stojí i v en.ftl; porovnává je test.

error = Chyba
yes-no = a/N
done = Hotovo.
ask-pin = PIN nebo heslo úložiště „{ $store }“:
ask-retire = Odstranit z úložiště certifikát { $serial } i s klíčem? Veřejná část se nejprve archivuje, klíč bude nenávratně pryč.
ask-make-room = Odstranit tyto certifikáty i s klíči, až budou jejich následníci fungovat? Veřejné části se nejprve archivují, klíče budou nenávratně pryč.
ask-new-password = Nové heslo souboru „{ $store }“:
ask-password-again = Stejné heslo ještě jednou:
ask-new-pin = Nový PIN zařízení „{ $store }“:
ask-pin-again = Stejný PIN ještě jednou:
ask-puk = PUK zařízení „{ $store }“:
pin-right = PIN je správný.
pin-changed = PIN je změněn. Od této chvíle platí jen nový.
pin-unblocked = PIN je odblokován a nový.
tries-good = zatím nebyl zadán chybně
tries-low = už byl zadán chybně
tries-last = ZBÝVÁ JEDEN POKUS
tries-locked = ZABLOKOVÁN
tries-pad = zadává se na zařízení
tries-length = { $least } až { $most } znaků
plan-file = Na zařízení není místo: komerční certifikát přijde do souboru { $file } chráněného heslem.
plan-removes = Aby vzniklo místo, bude ze zařízení ve svou chvíli odstraněn { $kind } { $serial } (nejprve se archivuje).
days-left = { $days ->
    [one] za { $days } den
    [few] za { $days } dny
    [many] za { $days } dne
   *[other] za { $days } dní
}
expired = prošlý
serial-number = Sériové číslo
issuer = Vydavatel
holder = Držitel
validity = Platnost
key = Klíč
store = Úložiště
claims-device = Uvádí, že jeho klíč je v kvalifikovaném prostředku.
kind-qualified = Kvalifikovaný
kind-commercial = Komerční
kind-authority = Autorita

station-found = dosavadní certifikát nalezen a ověřen
station-keyed = nový klíč vytvořen
station-requested = žádost podepsána
station-submitted = žádost odeslána
station-issued = certifikát vydán
station-accepted = certifikát zkontrolován
station-confirmed = převzetí potvrzeno autoritě
station-installed = nainstalován ke svému klíči
station-proven = vyzkoušen podpisem
station-registered = účet jej zná, přihlášení vyzkoušeno
station-nobody-to-tell = žádný účet se o něm nemusí dozvědět
station-retired = dosavadní certifikát vyřazen a archivován
slow-making-key = Vytváří se klíč. Může to trvat minuty; zařízení neodpojujte.
slow-installing = Zapisuje se do úložiště; zařízení neodpojujte.

plan-title = Plán pro „{ $store }“ u { $authority }:
waiting = Čeká se na autoritu: { $why }. Od vás není nic potřeba; pokračuje „obnova resume“.
nothing-open = Nic neprobíhá.
journey-open = probíhá
journey-finished = dokončeno
registered-in-account = Zaregistrován v účtu.
login-works = Přihlášení funguje; účet { $account }.
proven = Klíč podepisuje a certifikát podpis ověřuje: { $serial }.
retired-to = Odstraněno. Veřejná část je v { $archive }.
doctor-good = dobré
doctor-notice = pozor
doctor-bad = ŠPATNĚ
doctor-program = program
doctor-home = složka
doctor-store = úložiště
doctor-stores = úložiště
doctor-pin = PIN
doctor-middleware = obslužný program zařízení
doctor-certificate = certifikát
doctor-authority = autorita
doctor-clock = hodiny se od hodin autority liší o
doctor-off-days = { $count ->
    [one] { $count } den
    [few] { $count } dny
   *[other] { $count } dní
}
doctor-off-minutes = { $count } min
doctor-off-seconds = { $count } s
doctor-none = žádná
doctor-journey = obnova

reason-issue = bude vydán
reason-no-contract = nejste na žádné smlouvě; napravit to může pověřená osoba vaší organizace
reason-debt = faktura je přes 30 dní po splatnosti; napravit to může pověřená osoba vaší organizace
reason-cash = smlouva je hotovostní a nic není předplaceno; napravit to může pověřená osoba
reason-three-years-contract = smlouva nedovoluje tři roky; povolit to může pověřená osoba
reason-three-years-applicant = nemáte povoleny tři roky; povolit to může pověřená osoba
reason-data-changed = změnily se vaše údaje; posoudí je pracovník autority
reason-approval = žádost schvaluje pracovník autority
reason-device-ended = prostředek už není certifikován; je potřeba nový
reason-by-clerk = pracovník autority žádost zamítl
reason-later = autorita potřebuje čas
reason-predecessor-expired = dosavadní certifikát už neplatí
reason-predecessor-revoked = dosavadní certifikát byl zneplatněn
reason-too-early = období obnovy ještě nezačalo
reason-unknown-predecessor = autorita tento certifikát nezná
reason-other = důvod sdělí autorita
reason-renewal-too-early = období obnovy se ještě neotevřelo
reason-predecessor-not-yet-valid = dosavadní certifikát ještě neplatí
reason-subject-differs = bylo žádáno o jiné jméno, než má dosavadní certifikát
reason-same-key = tento klíč už certifikát má; musí vzniknout nový

who-holder = Vy
who-authorised-person = Pověřená osoba vaší organizace
who-local-administrator = Váš lokální administrátor
who-authority = Autorita
who-nobody = Nikdo
must-act-qualified-expired = kvalifikovaný certifikát prošel; musí se znovu vydat prvotní
must-act-commercial-expired = komerční certifikát prošel; musí se znovu vydat prvotní
must-act-login-expired = účet otevírá jen prošlý certifikát; nový je nutné přiřadit ručně
must-act-device-ended = prostředek už není certifikován; pořiďte nový
must-act-authority-refuses = autorita by žádost odmítla; důvod je výše
must-act-no-room-and-no-login = na zařízení není místo a do účtu se nelze přihlásit; přidejte nový certifikát do účtu ručně
must-act-no-room = na zařízení není místo a nic z něj nesmí pryč
must-act-no-login = do účtu se nelze přihlásit; přidejte nový certifikát do účtu ručně
must-act-agree-to-lose-old-mail = klíč, který musí uvolnit místo, může být potřeba ke čtení starší pošty; souhlasíte-li se ztrátou, použijte --lose-old-mail

error-other = Stalo se něco nečekaného. Nic se neztratilo; spusťte „obnova doctor“ a výpis pošlete podpoře.
error-pin-needed = Je potřeba PIN nebo heslo. Spusťte příkaz v terminálu, nebo použijte --pin-stdin či --pin-file.
error-pin-incorrect = PIN nebo heslo není správné. Zkusilo se jednou a samo se znovu nezkusí; spusťte příkaz znovu.
error-pin-count-low = Někdo už zadal chybný PIN. Po několika dalších jej zařízení zablokuje a pomůže jen PUK: podívejte se do papírů k zařízení.
error-puk-incorrect = PUK je chybný. Byl zkoušen jednou a sám se znovu zkoušet nebude. Po příliš mnoha chybných je zařízení nepoužitelné: podívejte se do papírů, které k němu patří.
error-puk-incorrect-last-try = PUK je chybný a zbývá jeden pokus. Potom je zařízení nepoužitelné: nejprve si jím buďte jisti, pak použijte --last-try.
error-puk-locked = PUK je zablokován, takže toto zařízení už nelze odblokovat. Zeptejte se své autority na nové; certifikáty na něm je vhodné zneplatnit.
error-puk-last-try = Zbývá jeden pokus o PUK a nebyl spotřebován. Potom je zařízení nepoužitelné: buďte si jím jisti, pak použijte --last-try.
error-no-puk = Toto úložiště nemá PUK. Heslo souboru nelze obnovit: pomůže kopie se známým heslem.
error-pin-length = Nový PIN je pro toto zařízení příliš krátký nebo dlouhý; přípustná délka je níže. Nic se neodeslalo.
error-key-waits = Klíč v tomto souboru čeká na svůj certifikát. Nejprve dokončete „obnova resume“, potom změňte heslo.
error-choose-store = Úložišť je více: určete je volbou --store.
error-clock-wrong = Hodiny tohoto počítače jdou špatně. Nastavte je a příkaz spusťte znovu; nic se neztratilo.
error-pin-incorrect-last-try = PIN není správný a zbývá poslední pokus. Než spustíte příkaz znovu s --last-try, buďte si jisti.
error-pin-locked = PIN je zablokován. Odblokujte jej pomocí PUK v programu zařízení, nebo požádejte podporu; potom „obnova resume“.
error-pin-last-try = Zbývá poslední pokus o PIN, proto nebyl použit. Jste-li si jisti, spusťte příkaz znovu s --last-try.
error-store-gone = Token není připojen. Připojte jej (tentýž) a spusťte „obnova resume“; nic se neztratilo.
error-store-full = Na zařízení není místo (chyba 621 z návodu). Certifikát máme v bezpečí: co může pryč, stojí níže (obnova clean); „obnova resume“ jej pak nainstaluje bez nové žádosti.
error-store-busy = S tímto zařízením teď pracuje jiná obnova. Počkejte, až skončí.
error-key-missing = Klíč tohoto certifikátu tu není. Připojte zařízení, na kterém je.
error-not-our-key = Certifikát patří ke klíči, který tu není, proto nebyl zapsán.
error-not-stored = Zařízení zápis potvrdilo, ale nic se na něm neobjevilo: nejspíš je plné (chyba 621). Vydaný certifikát máme v bezpečí: uvolněte místo a spusťte „obnova resume“.
error-key-kind-unsupported = Zařízení takový klíč vytvořit neumí. Zvolte jiný pomocí --key.
error-module-error = Modul zařízení ohlásil chybu. Odpojte a znovu připojte zařízení a spusťte „obnova resume“; nic se neztratilo.
error-module-missing = Modul zařízení se nepodařilo načíst. Zkontrolujte cestu v obnova.toml, nebo nainstalujte ovladače zařízení.
error-file-error = Soubor nelze číst nebo zapsat. Zkontrolujte disk a práva a spusťte „obnova resume“; dříve zapsané je celé.
error-journal-error = Deník obnovy nelze zapsat nebo přečíst, proto se dál nic nestalo. Zkontrolujte disk (není plný?) a spusťte „obnova resume“.
error-newer-version = Toto zapsala novější verze programu obnova. Nainstalujte ji; nic se nezměnilo ani neztratilo.
error-settings-wrong = Soubor obnova.toml nelze přečíst. Opravte uvedený řádek.
error-no-store = Není známo žádné úložiště. Uveďte modul PKCS#11 nebo soubor PKCS#12 v obnova.toml ([[store]]), nebo použijte --module či --file.
error-no-authority = Zatím není známa žádná autorita. Použijte pozvánku, nebo zadejte --cmp a --anchor.
error-authority-unknown = Tento certifikát nevydala žádná ze známých autorit. Zadejte její adresu a kotvu důvěry pomocí --cmp a --anchor.
error-authority-record-damaged = Záznam o autoritě nelze přečíst. Použijte znovu pozvánku, nebo zadejte --cmp a --anchor.
error-authority-unreachable = Autorita neodpovídá. Nic se neztratilo: spusťte „obnova resume“ později; odešle se tatáž žádost.
error-connection-not-trusted = Spojení není důvěryhodné, proto se nic neodeslalo. Zkontrolujte hodiny počítače a zeptejte se autority, zda se nezměnil její certifikát.
error-authority-http-error = Autorita odpověděla chybou. Spusťte „obnova resume“ později; nic se neztratilo.
error-authority-answer-untrusted = Odpověděl někdo, kdo není tou autoritou, proto se odpovědi nevěřilo. Co bylo odesláno, mohlo dojít: spusťte později „obnova resume“; odešle se tatáž žádost. Podepisuje-li autorita odpovědi zvláštním certifikátem, zadejte jej pomocí --cmp-signer.
error-authority-answer-malformed = Odpovědi autority nelze věřit nebo ji nelze přečíst, proto nebyla použita. Spusťte „obnova resume“ později; pokud se to opakuje, pošlete tento řádek autoritě.
error-authority-busy = Autorita to teď nemůže udělat. Nic se neztratilo: spusťte „obnova resume“ později; odešle se tatáž žádost.
error-authority-lost-request = Autorita se k žádosti, kterou přijala, nehlásí. Dosavadní certifikát dál funguje a nový klíč zůstává. Zeptejte se autority; „obnova resume --ask-again“ pošle novou žádost o tentýž klíč.
error-authority-refused = Autorita žádost odmítla. Důvod je níže; dosavadní certifikát dál funguje.
error-address-wrong = Adresa není adresou http ani https.
error-signing-failed = Klíč nepodepsal. Odpojte a znovu připojte zařízení a spusťte „obnova resume“.
error-nothing-to-renew = Takový certifikát tu není. Co tu je, ukáže „obnova list“.
error-nothing-due = Zatím není co obnovovat. Data ukáže „obnova list“; --early obnoví i před začátkem období obnovy.
error-nobody-made-a-key = Žádný klíč nevznikl, protože plán za tohoto stavu nelze dokončit. Kdo musí jednat, je uvedeno výše.
error-renewal-open = Obnova tohoto certifikátu už probíhá. Pokračuje „obnova resume“; druhý klíč se nikdy nevytvoří.
error-invitation-in-use = Tato pozvánka se už používá. Pokračuje „obnova resume --invitation SOUBOR“; druhý klíč se nikdy nevytvoří.
error-already-renewed = Tento certifikát už svého následníka má; druhý se nikdy nevytvoří. Ukáže jej „obnova list“.
error-no-plan = Není v čem pokračovat.
error-middleware-old = Ovladače zařízení jsou starší, než se kterými autorita pracuje (chyba 622 z návodu). Žádný klíč nevznikl. Nainstalujte níže uvedenou verzi a spusťte příkaz znovu.
error-new-key-lost = Nový klíč už na zařízení není. Znovu se s ním nic neodeslalo; obraťte se na podporu.
error-proof-failed = Klíč podepsal, ale certifikát podpis neověřuje: nepatří k sobě. Dosavadní certifikát dál funguje; pošlete tento řádek podpoře.
error-certificate-not-valid-now = Podle hodin tohoto počítače certifikát neplatí. Hodiny jdou nejspíš špatně: nastavte je a spusťte „obnova resume“. Certifikát je uschován.
error-certificate-malformed = Certifikát, který přišel, nelze přečíst. Je uschován; pošlete tento řádek podpoře.
error-certificate-other-key = Certifikát, který přišel, je k jinému klíči, proto nebyl převzat.
error-certificate-other-subject = Certifikát, který přišel, je na někoho jiného, proto nebyl převzat.
error-certificate-other-kind = Certifikát, který přišel, je jiného druhu, proto nebyl převzat.
error-certificate-not-trusted = Certifikát teď nevede ke kořeni autority. Je uschován; spusťte „obnova resume“ později.
error-no-anchor = Autorita neposlala kořen, kterému by šlo věřit.
error-root-differs = Kořen autority není ten z pozvánky, proto se ničemu nevěřilo. Požádejte o novou pozvánku.
error-invitation-needed = Tato cesta začala pozvánkou. Zadejte ji znovu pomocí --invitation.
error-invitation-wrong = Pozvánku nelze přečíst.
error-certificate-not-found = Takový certifikát v úložištích není. Co tu je, ukáže „obnova list“.
error-serial-wrong = Toto není sériové číslo. Lze zadat desítkové i šestnáctkové číslice, s oddělovači i bez nich.
error-choose-certificate = Řekněte, který certifikát: sériové číslo, druh, nebo --all.
error-login-failed = Přihlášení tímto certifikátem nefunguje; proč, říká níže identitní prostor.
error-rehearsal-failed = Přihlášení novým certifikátem zatím nefunguje, proto byl dosavadní ponechán. Spusťte „obnova resume“ později, nebo požádejte lokálního administrátora.
error-identity-refused = Identitní prostor to odmítl. Jeho slova jsou níže; dosavadní přihlášení dál funguje.
error-no-identity = Tato autorita neuvádí žádný identitní prostor.
error-not-agreed = Nic se nestalo, protože to nikdo nepotvrdil. Odpovězte ano, nebo použijte --yes.
error-stays-no-successor = Musí zůstat: platí a nemá vyzkoušeného následníka. Nejprve jej obnovte; druhou cestou je zneplatnění.
error-stays-not-registered = Musí zůstat: následný certifikát ještě není všude zaregistrován. Nejprve spusťte „obnova resume“.
error-stays-decrypts = Musí zůstat: jeho klíč může být potřeba ke čtení starší pošty. Souhlasíte-li se ztrátou, použijte --lose-old-mail.
error-passwords-differ = Hesla se liší. Nic nevzniklo; zkuste to znovu.
error-anchor-wrong = Kotvu důvěry nelze přečíst jako certifikát.
error-tls-pin-needed = Pro adresu https zadejte --tls-sha256, otisk SHA-256 kořene jejího certifikátu TLS.

login-failed = Přihlášení se nepodařilo
login-no-certificate = Nebyl předložen žádný certifikát. Připojte token, otevřete stránku znovu a zvolte svůj komerční certifikát.
login-expired = Tento certifikát už neplatí, proto účet neotevře. Požádejte lokálního administrátora o přiřazení nového.
login-not-yet-valid = Tento certifikát ještě neplatí. Zkontrolujte hodiny.
login-untrusted = Tento certifikát vydala autorita, která se zde nepřijímá.
login-wrong-kind = Toto je kvalifikovaný certifikát; slouží k podpisům. Přihlaste se komerčním.
login-revoked = Tento certifikát byl zneplatněn. Přihlaste se jiným, nebo požádejte lokálního administrátora.
login-unknown = Tento certifikát nezná žádný účet. Přidejte jej, dokud se přihlásíte dosavadním, nebo požádejte lokálního administrátora.
login-status-unknown = Nepodařilo se zjistit, zda certifikát nebyl zneplatněn. Zkuste to za několik minut.
identity-refused = Neprovedeno
identity-account-exists = Takový účet už existuje.
identity-account-field = Přihlašovací jméno, jméno, organizace nebo e-mail má znak, který tam být nesmí, nebo chybí.
identity-account-unknown = Takový účet neexistuje.
identity-serial-wrong = Toto není sériové číslo.
identity-issuer-unknown = Toto jméno nemá žádný přijímaný vydavatel, nebo jich je víc.
identity-bound-elsewhere = Tento certifikát patří k jinému účtu.
identity-bound-already = Tento certifikát už v účtu je.
identity-last-login = Odstranil by se poslední certifikát, kterým se prokazatelně lze přihlásit, proto zůstává.
identity-this-login = Tímto certifikátem jste právě přihlášeni; odstraňte jej po přihlášení druhým.
identity-not-bound = Tento certifikát tu v žádném účtu není.
identity-other-site = Požadavek přišel z cizí stránky a nebyl proveden.
identity-not-logged-in = Nejprve se přihlaste certifikátem.
identity-statement-malformed = Prohlášení nelze přečíst.
identity-statement-other-audience = Prohlášení je určeno jinému identitnímu prostoru.
identity-statement-old = Prohlášení je příliš staré, nebo z budoucnosti. Zkontrolujte hodiny.
identity-statement-signers = Prohlášení nepodepsaly oba certifikáty téže osoby.
identity-statement-certificate = Jeden z obou certifikátů se zde nepřihlásí.
logged-in-as = Přihlášená osoba:
account-of = Účet { $login }
account-certificates = Certifikáty, které tento účet otevírají
added = Přidán
added-administrator = administrátorem
added-typed = vámi opsán
added-statement = podepsaným prohlášením
state = Stav
binding-current = jste jím přihlášeni
binding-proven = přihlášení jím už proběhlo
binding-never-used = ještě se jím nikdo nepřihlásil
add-successor = Přidat certifikát podle čísla
add = Přidat

mail-issued-subject = Váš certifikát byl vydán
mail-issued-body =
    Dobrý den, { $name },

    váš certifikát ({ $kind }) byl vydán.
    Sériové číslo: { $decimal } (0x{ $hexadecimal })

    Program obnova jej převezme sám. Pokud neběží, spusťte „obnova resume“.
mail-refused-subject = Vaše žádost o certifikát byla zamítnuta
mail-refused-body =
    Dobrý den, { $name },

    vaše žádost { $number } byla zamítnuta.
    Důvod: { $why }

    Dosavadní certifikát dál funguje. Obraťte se prosím na pověřenou osobu organizace { $organisation }.
mail-expiring-subject = Vašemu certifikátu brzy skončí platnost
mail-expiring-body =
    Dobrý den, { $name },

    vašemu certifikátu ({ $kind }, 0x{ $hexadecimal }) skončí platnost za { $days ->
        [one] { $days } den
        [few] { $days } dny
        [many] { $days } dne
       *[other] { $days } dní
    }.

    Spusťte prosím „obnova renew --all“. Trvá to několik minut a nic se nemůže ztratit.
mail-bound-subject = K vašemu účtu byl přidán certifikát
mail-bound-body =
    Dobrý den, { $name },

    účet { $account } nyní otevírá tento certifikát:
    sériové číslo { $decimal } (0x{ $hexadecimal })

    Pokud jste to nebyli vy, ihned to oznamte lokálnímu administrátorovi.
error-managed-elsewhere = Klíče a certifikáty se na toto zařízení zapisují pod přihlášením správce, ne pod vaším PIN. Obnovte ho nástrojem toho, kdo ho spravuje, nebo na jiné zařízení („obnova renew --onto ÚLOŽIŠTĚ“), komerční certifikát i do souboru (--to-file); vše ostatní zde funguje.
error-not-possible-here = Tohle dané úložiště neumí.
error-write-failed = Zařízení zápis odmítlo obecnou chybou. Nejčastěji to znamená, že je plné; bylo znovu přepočítáno a co může pryč, stojí níže (obnova clean). Nic se neztratilo, „obnova resume“ to zkusí znovu.
error-module-silent = Program zařízení včas neodpověděl a byl ukončen. Vyjměte zařízení a znovu ho zasuňte, pak to zkuste znovu; pokud to trvá, restartujte počítač nebo přeinstalujte program zařízení.
error-module-crashed = Program zařízení spadl. Nic jiného to nepostihlo; zkuste to znovu. Pokud to trvá, nainstalujte novější verzi programu zařízení.
error-key-size-ended = Klíče této délky už nové certifikáty nedostávají. Zvolte delší, nebo nechte volbu na programu.
error-device-too-weak = Zařízení umí jen klíče, které jsou na nové certifikáty příliš krátké. Potřebujete nové zařízení; komerční certifikát může být i v souboru (--to-file).
error-not-archived = Žádný takový certifikát odsud odstraněn nebyl, není tedy co vrátit.
error-stays-waits = Klíč zůstává: jeho certifikát je na cestě a bez klíče by ho nikdy nešlo nainstalovat.
error-stays-unknown-request = Klíč nemá certifikát a o žádosti pro něj se zde nic neví. Zůstává, protože certifikát ještě může přijít. Jste-li si jisti, že nepřijde: obnova clean --give-up se začátkem jeho otisku.
error-stays-authority = Je to certifikát autority, ne osoby; zůstává.
goes-superseded = může pryč: jeho následník všude funguje
goes-expired = může pryč: skončil a jeho klíč nic nedešifruje
goes-refused = může pryč: jeho žádost byla zamítnuta
goes-given-up = může pryč: vzdali jste se ho
stays-no-successor = zůstává: platí a žádný jeho následník nebyl vyzkoušen
stays-not-registered = zůstává: platí a jeho následník ještě neznají všude
stays-decrypts = zůstává: jeho klíč může dešifrovat vaši starou poštu
stays-waits = zůstává: jeho certifikát je na cestě
stays-unknown-request = zůstává: certifikát pro něj ještě může přijít
stays-authority = zůstává: patří autoritě
device-qualified = na kvalifikovaném prostředku s certifikací do { $until }
device-ended = jeho prostředek přestal být kvalifikovaný { $until }
device-unknown = tvrdí, že je na kvalifikovaném prostředku; to zde nelze ověřit (zeptejte se autority podle sériového čísla zařízení)
device-elsewhere = tvrdí, že je na kvalifikovaném prostředku, ale leží v souboru: tam nevznikl
unfit-authority = certifikát autority
unfit-self-made = značka, kterou si zařízení vytvořilo samo
unfit-expired = skončil, obnovit nejde
unfit-key-kind = jeho klíč je druhu, který se zde nepoužívá
clean-title = { $name }: co může pryč a co zůstává
clean-key = klíč bez certifikátu
clean-nothing = Nic nemůže pryč.
clean-done = Odstraněno: { $count }. Předtím: { $before }; potom: { $after }.
clean-counts = certifikátů { $certificates }, klíčů { $keys }
ask-clean = Odstranit, co může pryč? Veřejné části se nejdřív archivují, klíče zmizí navždy.
restored = Veřejná část { $serial } je zpět v { $store }. Její klíč zmizel navždy, takže nic nepodepíše.
error-not-exportable = Tento klíč své úložiště opustit nemůže; k tomu taková úložiště jsou. Nový klíč v jiném zařízení vznikne obnovou: obnova renew ČÍSLO --onto ZAŘÍZENÍ.
error-password-wrong = Heslo souboru je špatné, nebo byl soubor změněn. Nic se nezapsalo.
error-pfx-wrong = Soubor nelze přečíst jako PKCS#12 (PFX), nebo jeho klíč nelze použít. Nic se nezapsalo.
error-pfx-empty = V souboru není žádný klíč se svým certifikátem. Exportujte jej znovu, i se soukromým klíčem.
error-key-does-not-match = Klíč v souboru nepatří k certifikátu. Nic se nezapsalo.
error-certificate-ended = Certifikát už skončil, v zařízení by k ničemu nebyl. Nic se nezapsalo.
error-same-store = V tom úložišti už je.
error-file-exists = Soubor toho jména už existuje a nic se nepřepisuje. Zvolte jiné jméno.
error-backup-differs = Kopie se liší od originálu. Zkuste jiné médium a originál si ponechte.
error-name-not-typed = Jméno zařízení nebylo opsáno přesně, takže se nic nesmazalo.
ask-new-puk = Nový PUK pro „{ $store }“:
ask-puk-again = Stejný PUK znovu:
puk-changed = PUK je změněn. Uložte si jej tam, kde ho najdete, až bude PIN zablokovaný.
no-device = Není zasunuté žádné zařízení, nebo chybí jeho program: více řekne „obnova doctor“.
token-named = Zařízení se tu odteď jmenuje „{ $name }“. Zařízení samo se nezměnilo.
token-known-as = vypadá jako { $name } ({ $source })
token-keys = klíče, které umí vytvořit
standing-qualified = certifikované jako kvalifikovaný prostředek do { $until }
standing-ended = jeho certifikace kvalifikovaného prostředku skončila { $until }
standing-unknown = o jeho certifikaci jako kvalifikovaného prostředku není nic známo
room-known = volno { $free } z { $total } bajtů (říká zařízení)
room-unknown = zařízení neříká, kolik má místa
room-believed = předpokládá se místo pro dvojic: { $pairs }
room-counted = napočítáno: certifikátů { $certificates }, bajtů { $octets }
initialise-loses = Tohle navždy smaže VŠECHNO v „{ $store }“, i všechny klíče:
ask-type-name = Pro smazání opište jméno zařízení, { $store }:
initialised = Zařízení je prázdné a jmenuje se „{ $name }“. Veřejné části toho, co v něm bylo, jsou v archivu.
import-done = { $serial } je teď v { $store }; jeho klíč podepsal a certifikát podpis ověřil.
import-was-there = { $serial } v { $store } už byl; funguje.
import-not-made-there = Pozor: klíč přišel zvenku. V zařízení nevznikl, takže to není klíč na kvalifikovaném prostředku.
exported = Zapsáno do { $file }.
backup-done = Zkopírováno do { $file } a porovnáno (SHA-256 { $sha256 }); v kopii vyzkoušeno klíčů: { $tested }.
error-field-missing = Tohle chce autorita vědět a nikde zde to není. Uveďte to pomocí --field JMÉNO=HODNOTA; nic se nevymýšlí. Žádný klíč nevznikl.
error-field-wrong = Pole se píše JMÉNO=HODNOTA, na jeden řádek a nejvýš 200 znaků.
error-description-needed = Není známo, jak se této autority ptát. Uveďte její popis pomocí --authority (postsignum, nebo soubor).
error-description-wrong = Popis autority nelze přečíst.
error-no-mail-address = Certifikát neuvádí e-mailovou adresu, podepsaná zpráva z něj tedy odejít nemůže.
error-predecessor-needed = Tato cesta se ptá certifikátem, který se obnovuje; bez něj po ní jít nelze.
error-nothing-to-adopt = Žádná obnova rozdělaná jinde se nenašla: ani novější certifikát téže osoby, ani klíč bez certifikátu.
error-anchor-needed = K ověření toho, co přišlo, je třeba certifikát autority. Stáhněte jej z adresy níže, porovnejte se stránkami autority a zadejte pomocí --anchor.
error-nothing-to-pick-up = Žádný certifikát v tom není. Čeká se certifikát (DER nebo PEM), soubor PKCS#7, nebo mail s některým z nich.
error-nobody-waits = Na tento certifikát zde žádná obnova nečeká. Byla-li rozdělaná jinde: obnova adopt.
error-no-such-account = Účet tohoto jména není znám; seznam dá obnova account.
error-est-needs-https = EST se mluví jen přes https.
error-stays-only-said = Musí zůstat: že účet zná následníka, je jen vaše slovo. Nezná-li ho, ztratíte přístup. Nejdřív se novým přihlaste; jste-li si jisti, opište číslo starého: obnova retire ČÍSLO --typed ČÍSLO.
stays-only-said = zůstává: že účet zná následníka, je jen vaše slovo
ask-field = { $field }:
ask-field-optional = { $field } (lze vynechat):
request-field = { $field }: { $value }   [{ $source }]
request-not-tried = Popis { $name } vznikl z veřejných stránek ({ $read }) a nebyl tam vyzkoušen. Než zprávu odešlete, přečtěte ji.
request-draft = Podepsaná zpráva pro { $to } je v { $file }. Nic nebylo odesláno. Až certifikát přijde: obnova pickup SOUBOR.
adopted-installed = Převzato ({ $journey }): následník už je nainstalován.
adopted-waiting = Převzato ({ $journey }): klíč čeká na svůj certifikát.
picked-up = Převzato: { $serial }.
account-tell = { $account } je třeba sdělit ručně: { $page }. Co opsat, ukáže „obnova account“; potom: obnova account ČÍSLO --told { $account }.
account-not-told = ještě neoznámeno
account-said = sděleno, jak říkáte
account-confirmed = potvrzeno druhou stranou
copied = Desítkové číslo je ve schránce.
no-clipboard = Program pro schránku se nenašel; zkopírujte ručně.
reason-request-mailed = žádost jde poštou; až certifikát přijde, předejte jej obnova pickup
error-schedule-refused = Systém denní úlohu nepřijal. Spouštějte obnova remind ručně, nebo ji dejte do vlastního plánu.
error-no-desktop = Oznámení na ploše nešlo zobrazit; co by řeklo, stojí níže.
error-help-unknown = V nastavení není, koho žádat o pomoc. Doplňte uvedený řádek v obnova.toml: [help] to, organisation (IČO), reference.
remind-ends = { $kind } certifikát { $name } končí { $day }
remind-title = Končící certifikáty
remind-nothing = V příštích 60 dnech nic nekončí.
schedule-active = Odteď vás to jednou denně upozorní.
schedule-written = Od příštího přihlášení vás to jednou denně upozorní.
schedule-removed = Upozorňování je zrušeno.
doctor-repaired = Opraveno: { $what }
bundle-written = Podklady pro podporu jsou v { $file }. Není v nich PIN, heslo ani klíč; než je odešlete, přečtěte si je.
message-written = Zpráva pro podporu je v { $file }. Nic nebylo odesláno: otevřete ji ve svém poštovním programu.
help-subject = Pomoc s certifikátem
help-greeting = Dobrý den, potřebuji pomoc s obnovou certifikátu. Co program zjistil, je níže a v příloze.
error-backup-undecided = Nový klíč by byl jen v souboru a zmizel by s diskem. Uveďte, kam patří jeho kopie (--backup-to SLOŽKA, nejlépe na jiné médium), nebo že žádnou nechcete (--no-backup); v obnova.toml to trvale určí backup = "SLOŽKA" nebo backup = false. Žádný klíč nevznikl.
standing-perhaps = je-li to, nač vypadá, jeho certifikace kvalifikovaného prostředku končí { $until }; ověřte u autority podle sériového čísla
error-store-unknown = Úložiště toho jména tu není; která jsou, stojí níže. Je-li to zařízení, zasuňte je.
list-login = s vlastním přihlášením: { $name }
card-unseen = Karta, kterou zde žádný program nepřečte, ve čtečce { $reader }.
card-blank = Karta, která ještě nebyla inicializována nebo ji teď nelze přečíst, ve čtečce { $reader }.
card-looks-like = Vypadá jako { $card }.
card-unknown = Co je zač, zde není známo; její odpověď na reset je { $atr }. O obslužný program požádejte toho, kdo vám kartu vydal.
card-needs = Potřebuje obslužný program { $middleware }: { $download }
card-administrator = K instalaci jsou třeba práva správce; „obnova doctor --administrator SOUBOR“ napíše text, který mu můžete poslat.
card-yourself = Nainstalovat si ho můžete sami.
card-ask = „obnova doctor --administrator SOUBOR“ napíše text se vším, co je známo, k poslání správci.
not-known = není známo
administrator-greeting = Dobrý den, na mém počítači nelze použít kartu s certifikáty, protože k ní chybí obslužný program (middleware). Prosím o jeho instalaci:
administrator-card = Karta: { $card }, ve čtečce { $reader }
administrator-atr = Její odpověď na reset (ATR): { $atr }
administrator-install = Nainstalovat: { $middleware }, z { $download }
administrator-computer = Počítač: { $system }. Obslužný program musí mít stejnou šířku (64 bitů) jako tento program.
administrator-check = Potom „obnova list“ ukáže certifikáty karty; nic dalšího není třeba nastavovat.
administrator-written = O co správce požádat, je v souboru { $file }.
administrator-not-needed = Všechny karty zde lze použít; nikdo nemusí nic instalovat.
doctor-card = karta
doctor-readers = čtečky
error-card-unseen = Tuto kartu na tomto počítači žádný program nepřečte. „obnova list“ řekne, který obslužný program potřebuje; „obnova doctor --administrator SOUBOR“ napíše, o co požádat správce.
error-card-blank = Karta nebyla inicializována nebo teď neodpovídá. Vytáhněte ji a znovu zasuňte; nepomůže-li to, nechte ji inicializovat tím, kdo vám ji vydal.
error-readers-no-service = Neběží systémová služba pro čtečky karet. Na Linuxu spusťte pcscd (systemctl start pcscd.socket), ve Windows službu „Čipová karta“.
error-readers-no-library = Tento systém nemá podporu čteček karet. Na Linuxu nainstalujte balíky pcscd a libpcsclite1; bez nich není vidět žádný token.
error-unblock-elsewhere = PIN této karty odblokuje jen její vlastní nástroj, pomocí PUK karty. Na kartu se nic neposlalo.
pin-unblocked-with = odblokuje { $tool }
error-another-key = Zařízení podepsalo jiným klíčem, než který ukazuje: nejspíš k němu byl zapsán certifikát jiného klíče. Nic se neodeslalo. Nechte tam zapsat správný certifikát tím, kdo zařízení spravuje, nebo obnovte na jiné zařízení.
reason-unasked = bude o něj požádáno; tato autorita předem nic neříká
chain-placed = { $store } nyní zná tyto autority: { $names }
nothing-found = Žádný certifikát zde tato slova nemá.
error-no-browser = Není zde databáze žádného prohlížeče. Prohlížeč jednou spusťte, nebo určete úložiště volbou --store.
error-no-program = Systém na to nemá program; otevřete to sami.
error-shortcut-refused = Systém zástupce nepřijal.

# What cannot be read, what is kept, what changes.
error-stays-claimed = Klíč možná patří k certifikátu, který tento program neumí přečíst, proto zůstává. Jste-li si jisti, že k němu nepatří: obnova clean --unrelated se začátkem toho, podle čeho se certifikát pozná.
error-stays-unread = Nelze přečíst všechny jeho části, proto zůstává.
error-stays-issued = Autorita k tomuto klíči vydala certifikát, který se tu nepřevzal. Certifikát i klíč zůstávají. Jste-li si jisti, že už nebudou potřeba: obnova clean --give-up se začátkem otisku klíče.
error-holds-others = V souboru je něco, co se otevírá jiným heslem, proto se heslo souboru nezměnilo. Nic se nezapsalo. Odstraňte to programem, který to tam vložil.
error-not-a-pin = Zadaný text nemůže být PIN ani heslo: je prázdný, nebo má znaky, které se na klávesnici nenapíšou. Nic se neodeslalo a žádný pokus se nespotřeboval.
error-secret-not-text = Soubor s PINem nebo heslem není text (UTF-8). Nic se neodeslalo a žádný pokus se nespotřeboval.
error-secret-for-another = Zadaný PIN nebo heslo patří k jinému zařízení či souboru, proto se sem neodeslal. PIN tokenu zadejte pomocí --pin-file a heslo souboru pomocí --file-password-file, vždy pro jedno zařízení.
error-certificate-unread = Je tu certifikát, který tento program neumí přečíst. Zůstává, jak je, a jeho klíč také.
error-certificate-not-taken = Autorita certifikát vydala a tento program jej nepřevzal; důvod je níže. Certifikát je uložen v archivu a jeho klíč zůstal na místě; dosavadní certifikát dál funguje. Zeptejte se autority.
error-certificate-ambiguous = Odpovídá více certifikátů. Zadejte sériové číslo toho, který chcete; jsou níže.
error-key-kind-not-issued = Pro klíče, které toto zařízení vytvoří, autorita certifikáty nevydává. Zvolte jiné zařízení pomocí --onto, nebo soubor pomocí --to-file.
must-act-agree-to-lose-abilities = Následný certifikát nebude umět vše, co váš dosavadní. Souhlasíte-li s tím: --lose-abilities. Jinak zvolte jiné zařízení pomocí --onto, nebo soubor pomocí --to-file.
stays-claimed = zůstává: možná patří k certifikátu, který nelze přečíst
stays-unread = zůstává: nelze jej přečíst
stays-issued = zůstává: byl k němu vydán certifikát, který se tu nepřevzal
clean-copies = uložen { $count }×; kopie se odstraní společně
clean-claimed-by = možná patří k nečitelnému certifikátu { $identity }
item-not-taken = vydán, ale tady nepřevzat
key-changes = druh klíče se změní: dosud { $old }, nově { $new }
loses-encryption = novým certifikátem nepůjde šifrovat
unread-certificate = Certifikát, který tento program neumí přečíst: { $number } { $name }
unread-why = důvod: { $why }
room-unread = z toho nečitelných: { $count }
left-ended = vynecháno: 0x{ $number } skončil
left-older = vynecháno: 0x{ $number }, starší certifikát téhož klíče
left-unread = vynecháno: certifikát, který nelze přečíst ({ $number })
left-foreign = vynecháno: { $number } dalších věcí, které nejsou klíč ani certifikát
reason-already-renewed = tento certifikát už má následný, nebo je na cestě
reason-weak-key = klíč je příliš slabý; vytvořte nový
