"""Starts a program, waits for its window, and prints its tree of accessible elements: role, name, states, value."""

import subprocess
import sys
import time

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
for interface in ("IsEnabled", "ScreenReaderEnabled"):
    bus.call_sync(
        "org.a11y.Bus", "/org/a11y/bus", "org.freedesktop.DBus.Properties", "Set",
        GLib.Variant("(ssv)", ("org.a11y.Status", interface, GLib.Variant("b", True))),
        None, Gio.DBusCallFlags.NONE, 10000, None)

import pyatspi  # noqa: E402

STATES = {
    pyatspi.STATE_FOCUSED: "focused",
    pyatspi.STATE_FOCUSABLE: "focusable",
    pyatspi.STATE_CHECKED: "checked",
    pyatspi.STATE_PRESSED: "pressed",
    pyatspi.STATE_EDITABLE: "editable",
}


def told(node, depth, lines):
    states = node.getState()
    words = [node.getRoleName(), repr(node.name)]
    if node.description:
        words.append("(%s)" % node.description)
    words += [name for state, name in STATES.items() if states.contains(state)]
    try:
        value = node.queryValue()
        words.append("value %d of %d" % (value.currentValue, value.maximumValue))
    except NotImplementedError:
        pass
    if node.getRole() == pyatspi.ROLE_PASSWORD_TEXT:
        try:
            text = node.queryText()
            words.append("text %r" % text.getText(0, -1))
        except NotImplementedError:
            pass
    lines.append("  " * depth + " ".join(words))
    for nth in range(node.childCount):
        child = node.getChildAtIndex(nth)
        if child is not None:
            told(child, depth + 1, lines)


# A window gets the focus from a window manager.
manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
time.sleep(0.5)
child = subprocess.Popen([sys.argv[1]])
try:
    lines, calm = [], 0
    for _ in range(100):
        time.sleep(0.2)
        desktop = pyatspi.Registry.getDesktop(0)
        seen = []
        for nth in range(desktop.childCount):
            application = desktop.getChildAtIndex(nth)
            if application is not None and application.get_process_id() == child.pid and application.childCount:
                told(application.getChildAtIndex(0), 0, seen)
        # A tree that says the same twice is whole.
        if len(seen) > 5 and seen == lines:
            calm += 1
            if calm == 2:
                break
        else:
            calm = 0
        lines = seen
    with open(sys.argv[2], "w", encoding="utf-8") as told_here:
        told_here.write("\n".join(lines) + "\n")
finally:
    child.kill()
    manager.kill()
