"""Prints a shared access signature for everything in the emulator's account, as Azure's documentation has it."""

import base64
import hashlib
import hmac
import sys
import urllib.parse

ACCOUNT, KEY = sys.argv[1:]
fields = {"sp": "rwdlac", "ss": "b", "srt": "sco", "sv": "2020-10-02", "se": "2036-01-01T00:00:00Z"}
text = "\n".join(
    [ACCOUNT, fields["sp"], fields["ss"], fields["srt"], "", fields["se"], "", "", fields["sv"], ""]
)
digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
fields["sig"] = base64.b64encode(digest).decode()
print(urllib.parse.urlencode(fields))
