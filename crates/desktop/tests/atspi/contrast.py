"""Tells a real window that the person wants more contrast, as desktop portals do (org.freedesktop.portal.Settings), and
then that they do not; what the window does is read from the pixels of its screen."""

import subprocess
import sys
import threading
import time

from gi.repository import Gio, GLib

program, frame = sys.argv[1:3]
INTERFACE = "org.freedesktop.portal.Settings"
DESCRIPTION = """<node><interface name="org.freedesktop.portal.Settings">
<method name="Read"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="v" direction="out"/></method>
<signal name="SettingChanged"><arg type="s"/><arg type="s"/><arg type="v"/></signal>
</interface></node>"""
CONTRAST = ("org.freedesktop.appearance", "contrast")


def asked(_bus, _sender, _path, _interface, _method, parameters, answer):
    if parameters.unpack() == CONTRAST:
        answer.return_value(GLib.Variant("(v)", (GLib.Variant("v", GLib.Variant("u", 1)),)))
    else:
        answer.return_dbus_error("org.freedesktop.portal.Error.NotFound", "Requested setting not found")


def share(level):
    """How much of the screen is at least (positive) or at most (negative) so bright."""
    with open(frame, "rb") as shot:
        octets = shot.read()
    # XWD: the size of the header and the number of colours stand in it, and after both come the pixels.
    header, colours = int.from_bytes(octets[0:4], "big"), int.from_bytes(octets[76:80], "big")
    pixels = octets[header + 12 * colours:]
    greens = pixels[1::4]
    fits = sum(1 for green in greens if (green >= level if level > 0 else green <= -level))
    return fits / len(greens)


def wait(wanted, what):
    for _ in range(100):
        if wanted():
            return
        time.sleep(0.2)
    sys.exit("waited in vain for " + what)


bus = Gio.bus_get_sync(Gio.BusType.SESSION)
interface = Gio.DBusNodeInfo.new_for_xml(DESCRIPTION).interfaces[0]
bus.register_object("/org/freedesktop/portal/desktop", interface, asked, None, None)
Gio.bus_own_name_on_connection(bus, "org.freedesktop.portal.Desktop", Gio.BusNameOwnerFlags.NONE, None, None)
loop = GLib.MainLoop()
threading.Thread(target=loop.run, daemon=True).start()
manager = subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL)
time.sleep(0.5)
child = subprocess.Popen([program, "--lang", "en"])
try:
    time.sleep(2)
    # The window covers most of the screen.
    subprocess.run(["xdotool", "search", "--sync", "--onlyvisible", "--name", "My certificates",
                    "windowmove", "0", "0", "windowsize", "1000", "700"], check=True, timeout=60)
    wait(lambda: share(-8) > 0.7, "a black ground")
    changed = GLib.Variant("(ssv)", (*CONTRAST, GLib.Variant("u", 0)))
    bus.emit_signal(None, "/org/freedesktop/portal/desktop", INTERFACE, "SettingChanged", changed)
    wait(lambda: share(200) > 0.7, "a light ground")
finally:
    child.kill()
    manager.kill()
