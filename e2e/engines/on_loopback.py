"""Runs MiniStack with all of its listeners on loopback: that of MQTT asks for every address, whatever BIND_HOST says."""

import asyncio
import runpy

loop = asyncio.base_events.BaseEventLoop
create_server = loop.create_server


async def on_loopback(self, factory, host=None, *rest, **options):
    return await create_server(self, factory, "127.0.0.1" if host == "0.0.0.0" else host, *rest, **options)


loop.create_server = on_loopback
runpy.run_module("ministack.app", run_name="__main__")
