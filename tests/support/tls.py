"""Both ends of TLS for tests, from a certificate authority of the test's own."""

import ssl

import trustme


def serving(authority: trustme.CA) -> ssl.SSLContext:
    """For a server on 127.0.0.1, with a certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """For a client that believes this authority, too."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
