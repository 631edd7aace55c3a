"""Chooses a file for a field of a real window in the dialog of a real desktop portal, and then chooses none."""

import subprocess
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

program, path, page, browse, field, nothing = sys.argv[1:7]

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
for interface in ("IsEnabled", "ScreenReaderEnabled"):
    bus.call_sync(
        "org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set",
        GLib.Variant("(ssv)", ("org.a11y.Status", interface, GLib.Variant("b", True))),
        None, Gio.DBusCallFlags.NONE, 10000, None)

import pyatspi  # noqa: E402

BUTTONS = (pyatspi.ROLE_PUSH_BUTTON, pyatspi.ROLE_TOGGLE_BUTTON)


def elements(node):
    if node is not None:
        yield node
        for nth in range(node.childCount):
            yield from elements(node.getChildAtIndex(nth))


def window():
    desktop = pyatspi.Registry.getDesktop(0)
    for nth in range(desktop.childCount):
        application = desktop.getChildAtIndex(nth)
        if application is not None and application.get_process_id() == child.pid:
            yield from elements(application)


def wait(wanted, what):
    for _ in range(150):
        found = wanted()
        if found:
            return found
        time.sleep(0.2)
    told = [(node.getRoleName(), node.name, node.description) for node in window()]
    sys.exit("waited in vain for %s among %s" % (what, told))


def press(name, description=None):
    def buttons():
        return [node for node in window() if node.getRole() in BUTTONS and node.name == name
                and (description is None or node.description == description)]
    place = wait(buttons, name)[0].queryComponent().getExtents(pyatspi.DESKTOP_COORDS)
    # One click of the mouse; a page that has just come takes none yet.
    time.sleep(0.6)
    keys("mousemove", str(place.x + place.width // 2), str(place.y + place.height // 2), "click", "1")


def dialogs():
    told = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", "^%s$" % field],
                          capture_output=True, text=True)
    return told.stdout.split()


def typed():
    entries = [node for node in window() if node.getRole() == pyatspi.ROLE_ENTRY and node.name == field]
    return entries[0].queryText().getText(0, -1) if entries else None


def keys(*what):
    subprocess.run(["xdotool", *what], check=True)
    time.sleep(0.5)


# A window gets the focus from a window manager.
manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
time.sleep(0.5)
child = subprocess.Popen([program, "--lang", "en"])
try:
    press(page)
    press(browse, field)
    wait(dialogs, "the dialog")
    time.sleep(1)
    # A path that begins with a slash opens the line for it.
    keys("type", "--delay", "60", path)
    keys("key", "Return")
    wait(lambda: not dialogs(), "the end of the dialog")
    wait(lambda: typed() == path, "%r in the field, which holds %r" % (path, typed()))
    press(browse, field)
    wait(dialogs, "the second dialog")
    time.sleep(1)
    keys("key", "Escape")
    wait(lambda: [node for node in window() if node.name == nothing], "the word that nothing was chosen")
    if typed() != path:
        sys.exit("the field lost its path: %r" % typed())
finally:
    child.kill()
    manager.kill()
