"""The HTTP faces: operators' API, VNF managers' listener, repository of release files.

Belongs here: routes, what a request and a reply look like, who may call. Never here: decisions; every route calls one
function of a block or of the service. One FastAPI app per listener, so that each can be bound where it has to be.
"""
