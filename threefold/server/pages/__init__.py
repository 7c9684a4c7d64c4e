"""The web pages: what is live, what needs somebody, runs, data, models, lineage and the audit trail.

Every page is drawn on the server and has one address; the same address gives JSON to whoever asks for it
(`.json` behind it, `?format=json`, or `Accept: application/json`). A page finds the store, the queue of writers and the readers at
`request.app.state.context`. Start in routes.py; answer.py says how a page is answered, `reading/` holds the questions
asked of the store, `templates/` and `static/` how it looks.
"""

from threefold.server.pages.elsewhere import JsonBehind
from threefold.server.pages.routes import ROUTES

__all__ = ["ROUTES", "JsonBehind"]
