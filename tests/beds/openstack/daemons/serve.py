"""One WSGI application under waitress: serve.py NAME MODULE PORT THREADS."""

import importlib
import sys
import warnings

warnings.filterwarnings("ignore")
name, module, port, threads = sys.argv[1:5]
sys.argv = [name]
application = importlib.import_module(module).application

import waitress  # noqa: E402 -- the application reads sys.argv while it is imported

waitress.serve(
    application,
    host="127.0.0.1",
    port=int(port),
    threads=int(threads),
    channel_timeout=300,
    asyncore_use_poll=True,
    clear_untrusted_proxy_headers=True,
)
