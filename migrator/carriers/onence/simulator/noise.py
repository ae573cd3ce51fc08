"""Headers that mean nothing to a client.

The real front end sends such headers (reference, section 1).
"""

from dataclasses import replace

from migrator.carriers.simulation.chance import Draws
from migrator.carriers.simulation.messages import SimulatedReply

__all__ = ["with_noise"]

NODES = ("api-a", "api-b")
"""Names of the two nodes that take turns.

A client need not send the cookies of the nodes back.
"""


def with_noise(reply: SimulatedReply, *, seed: int, nth: int) -> SimulatedReply:
    """Return `reply` with the headers of the `nth` answer."""
    draws = Draws("noise", seed, nth)
    request_id = f"{draws.below(16**8):08x}-{draws.below(16**4):04x}-4{draws.below(16**3):03x}-8000-{nth:012x}"
    session = f"{draws.below(16**16):016X}"
    noise = (
        ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"),
        ("Pragma", "no-cache"),
        ("Expires", "0"),
        ("X-Amzn-Requestid", request_id),
        ("X-Amz-Apigw-Id", f"{draws.below(16**10):010x}="),
        ("X-Amzn-Trace-Id", f"Root=1-{draws.below(16**8):08x}-{draws.below(16**12):012x}"),
        ("X-Amzn-Remapped-Connection", "keep-alive"),
        ("X-Cache", "Miss from cloudfront" if reply.status < 400 else "Error from cloudfront"),  # noqa: PLR2004
        ("Via", "1.1 simulated.cloudfront.example (CloudFront)"),
        ("Set-Cookie", f"!Proxy!ApiProxyServletJSESSIONID={session}; Path=/; HttpOnly"),
        ("Set-Cookie", f"SERVERID={NODES[nth % 2]}; path=/"),
    )
    return replace(reply, headers=reply.headers + noise)
