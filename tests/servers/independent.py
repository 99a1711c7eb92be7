"""Somebody else's XMPP: logs in with slixmpp, chats, and prints what it saw, a JSON object a line.

    {"saw": "online", "jid": ..., "mechanism": ..., "tls": "TLSv1.3" or null}
    {"saw": "joined", "room": ..., "status": [...], "occupants": [...]}
    {"saw": "message", "type": ..., "from": ..., "id": ..., "body": ..., "delayed": ...}
    {"saw": "failed", "why": ...}                     then it ends with 1
    {"saw": "done"}                                   then it ends with 0

It is done when it heard as many messages as --hear says; --within bounds everything.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from slixmpp import JID, ClientXMPP
from slixmpp.plugins.xep_0004.stanza.form import Form

arguments = argparse.ArgumentParser()
arguments.add_argument("--jid", required=True)
arguments.add_argument("--password-file", required=True, type=Path)
arguments.add_argument("--address", required=True, help="HOST:PORT to connect to")
arguments.add_argument("--tls", choices=["off", "starttls", "direct"], default="starttls")
arguments.add_argument("--ca-file", type=Path)
arguments.add_argument("--mechanism", help="the one SASL mechanism to use")
arguments.add_argument("--room", help="join this room")
arguments.add_argument("--nick", default="independent")
arguments.add_argument("--say", action="append", default=[], help="say this in the room")
arguments.add_argument("--to", help="send one-to-one messages to this address")
arguments.add_argument("--send", action="append", default=[], help="the body of one of them")
arguments.add_argument("--hear", type=int, default=0, help="wait for so many messages")
arguments.add_argument("--within", type=float, default=20.0, help="seconds for everything")


def tell(saw, **what):
    print(json.dumps({"saw": saw, **what}), flush=True)


class Independent(ClientXMPP):
    def __init__(self, asked):
        password = asked.password_file.read_text().rstrip("\n")
        super().__init__(asked.jid, password, sasl_mech=asked.mechanism)
        self.asked, self.left = asked, asked.hear
        self.ended = self.loop.create_future()
        self.enable_direct_tls = asked.tls == "direct"
        self.enable_starttls = asked.tls == "starttls"
        self.enable_plaintext = asked.tls == "off"
        if asked.tls == "off":
            self.plugin["feature_mechanisms"].unencrypted_plain = True
            self.plugin["feature_mechanisms"].unencrypted_scram = True
        self.ca_certs = asked.ca_file
        for plugin in ("xep_0030", "xep_0045", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.chat)
        self.add_event_handler("message", self.heard)
        self.add_event_handler("presence_error", self.refused)
        for name in ("failed_all_auth", "connection_failed", "ssl_invalid_chain", "stream_error"):
            self.add_event_handler(name, lambda why, name=name: self.end(f"{name}: {why}"))

    def end(self, why=None):
        if not self.ended.done():
            self.ended.set_result(why)

    async def chat(self, _):
        secured = self.socket.version() if hasattr(self.socket, "version") else None
        mechanism = self.plugin["feature_mechanisms"].mech
        tell("online", jid=self.boundjid.full, mechanism=mechanism.name, tls=secured)
        self.send_presence()
        await self.get_roster()
        if self.asked.room:
            await self.join(JID(self.asked.room))
        for body in self.asked.say:
            self.send_message(mto=self.asked.room, mbody=body, mtype="groupchat")
        for body in self.asked.send:
            self.send_message(mto=self.asked.to, mbody=body, mtype="chat")
        self.done_if_all_was_heard()

    async def join(self, room):
        muc = self.plugin["xep_0045"]
        own, *_ = await muc.join_muc_wait(
            room, self.asked.nick, maxstanzas=0, timeout=self.asked.within
        )
        status = sorted(own["muc"]["status_codes"])
        tell("joined", room=room.bare, status=status, occupants=sorted(muc.get_roster(room)))
        if 201 in status:  # made by us and locked until it is configured (XEP-0045, 10.1.2)
            form = Form()
            form["type"] = "submit"
            await muc.set_room_config(room, form)

    def refused(self, presence):
        self.end(f"join refused: {presence['error']['condition']}")

    def heard(self, message):
        if not message["body"]:
            return
        tell(
            "message",
            type=message["type"],
            **{"from": message["from"].full},
            id=message["id"],
            body=message["body"],
            delayed=message.get_plugin("delay", check=True) is not None,
        )
        self.left -= 1
        self.done_if_all_was_heard()

    def done_if_all_was_heard(self):
        if self.left <= 0:
            self.end()


async def live(asked):
    bot = Independent(asked)
    host, port = asked.address.rsplit(":", 1)
    bot.connect(host, int(port))
    try:
        why = await asyncio.wait_for(bot.ended, asked.within)
    except asyncio.TimeoutError:
        why = f"not done within {asked.within} s"
    if why is None:
        await bot.disconnect(wait=2.0)
        tell("done")
        return 0
    tell("failed", why=str(why))
    return 1


sys.exit(asyncio.run(live(arguments.parse_args())))
