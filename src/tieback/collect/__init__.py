"""The front door: what sites, apps and servers send becomes rows in the durable inbox, and is answered once it is there.

Comes in: HTTP requests in the protocols of many clients. Goes out: rows of the inbox, which `tieback.sync` makes facts of.
"""
