; The installer for Windows: for one person, without administrator rights, with shortcuts that are offered.
; The programs have 64 bits, and so has their installer.
Target amd64-unicode
Unicode true
!include "MUI2.nsh"

Name "obnova"
OutFile "${SETUP}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\obnova"
SetCompressor /SOLID lzma
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "obnova"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "obnova"
VIAddVersionKey "LegalCopyright" "MIT OR Apache-2.0"

!define MUI_ICON "${ICON}"
!define MUI_FINISHPAGE_RUN "$INSTDIR\obnova-desktop.exe"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "Czech"

LangString Programs ${LANG_ENGLISH} "The programs"
LangString Programs ${LANG_CZECH} "Programy"
LangString Menu ${LANG_ENGLISH} "Shortcut in the Start menu"
LangString Menu ${LANG_CZECH} "Zástupce v nabídce Start"
LangString Desktop ${LANG_ENGLISH} "Shortcut on the desktop"
LangString Desktop ${LANG_CZECH} "Zástupce na ploše"

Section "$(Programs)"
  SectionIn RO
  SetOutPath "$INSTDIR"
  File /r "${SOURCE}\*.*"
  File "/oname=obnova.ico" "${ICON}"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  !define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\obnova"
  WriteRegStr HKCU "${KEY}" "DisplayName" "obnova"
  WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\obnova.ico"
  WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegDWORD HKCU "${KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section "$(Menu)"
  CreateShortcut "$SMPROGRAMS\obnova.lnk" "$INSTDIR\obnova-desktop.exe" "" "$INSTDIR\obnova.ico"
SectionEnd

Section /o "$(Desktop)"
  CreateShortcut "$DESKTOP\obnova.lnk" "$INSTDIR\obnova-desktop.exe" "" "$INSTDIR\obnova.ico"
SectionEnd

; Always the same place: a folder that was given would be emptied when the program goes.
Function .onInit
  StrCpy $INSTDIR "$LOCALAPPDATA\Programs\obnova"
FunctionEnd

; Only what was installed goes, by its name, and the folder only when it is empty. Settings, journals and the archive of
; certificates are the person's own, and stay.
Section "Uninstall"
  IfFileExists "$INSTDIR\obnova-desktop.exe" +2
    Abort
  ; The daily look goes with the program that it would start.
  nsExec::Exec 'schtasks.exe /Delete /F /TN "obnova remind"'
  Pop $0
  Delete "$SMPROGRAMS\obnova.lnk"
  Delete "$DESKTOP\obnova.lnk"
  Delete "$INSTDIR\obnova.exe"
  Delete "$INSTDIR\obnova-desktop.exe"
  Delete "$INSTDIR\obnova.ico"
  Delete "$INSTDIR\README.md"
  Delete "$INSTDIR\README.cs.md"
  Delete "$INSTDIR\CHANGELOG.md"
  Delete "$INSTDIR\LICENSE-MIT"
  Delete "$INSTDIR\LICENSE-APACHE"
  Delete "$INSTDIR\LICENSE-FONTS"
  Delete "$INSTDIR\sbom.cdx.json"
  RMDir /r "$INSTDIR\share"
  RMDir /r "$INSTDIR\guide"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKCU "Software\Microsoft\Windows\CurrentVersion\Uninstall\obnova"
SectionEnd
