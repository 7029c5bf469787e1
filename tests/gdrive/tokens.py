"""
The token endpoint: service accounts by signed JWT (RS256, RFC 7523) with or without delegation, people by refresh
token; and the check of bearer tokens.
"""

import base64
import json
import secrets
from urllib.parse import parse_qs

from . import refusal
from .refusal import TokenRefusal

JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
AUDIENCES = ('https://oauth2.googleapis.com/token', 'https://www.googleapis.com/oauth2/v4/token',
             'https://accounts.google.com/o/oauth2/token')
DRIVE = 'https://www.googleapis.com/auth/drive'
SCOPES = {DRIVE, *(f'{DRIVE}.{part}' for part in ('file', 'readonly', 'metadata', 'metadata.readonly', 'appdata',
                                                  'photos.readonly', 'meet.readonly'))}
TIMEFRAME = ('Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your '
             'iat and exp values in the JWT claim.')


def decode(part):
    return base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))


class Account:
    """A service account's side that the token endpoint knows."""

    def __init__(self, email):
        self.email = email
        self.keys = {}            # kid -> PublicKey
        self.delegated = set()    # scopes that the administrator allows for acting as others
        self.is_disabled = False


class Tokens:
    def __init__(self, world, settings):
        self.world, self.settings = world, settings
        self.accounts = {}        # email -> Account
        self.refresh = {}         # refresh token -> (client id, client secret, email)
        self.valid = {}           # access token -> (email, project, scopes, until)
        self.issued = []          # all, for tests that look for them in logs

    def add_key(self, email, key_id, public_key):
        self.accounts.setdefault(email, Account(email)).keys[key_id] = public_key

    def add_refresh(self, email):
        refresh, client = '1//' + secrets.token_urlsafe(40), f'{secrets.token_hex(8)}.apps.googleusercontent.com'
        secret = 'GOCSPX-' + secrets.token_urlsafe(20)
        self.refresh[refresh] = (client, secret, email)
        self.issued.append(refresh)
        return {'refresh_token': refresh, 'client_id': client, 'client_secret': secret}

    def handle(self, form, own_uris):
        """The JSON of a good answer to the form in a request's body."""
        fields = {name: values[0] for name, values in parse_qs(form.decode('utf-8', 'replace')).items()}
        grant = fields.get('grant_type')
        if grant == JWT_BEARER:
            email, project, scopes = self._by_assertion(fields.get('assertion', ''), own_uris)
        elif grant == 'refresh_token':
            email, project, scopes = self._by_refresh(fields)
        else:
            raise TokenRefusal(400, 'unsupported_grant_type', f'Invalid grant_type: {grant}')
        life = self.settings().token_life
        return {'access_token': self.issue(email, project, scopes, life), 'expires_in': life, 'token_type': 'Bearer'}

    def issue(self, email, project, scopes, life):
        token = 'ya29.c.' + secrets.token_urlsafe(120)
        self.valid[token] = (email, project, scopes, self.world.now() + life * 1000)
        self.issued.append(token)
        return token

    def _by_assertion(self, assertion, own_uris):
        try:
            head64, claims64, signature64 = assertion.split('.')
            head, claims, signature = json.loads(decode(head64)), json.loads(decode(claims64)), decode(signature64)
            times = int(claims['iat']), int(claims['exp'])
        except (ValueError, KeyError, TypeError):
            raise TokenRefusal(400, 'invalid_grant', 'Invalid JWT: malformed assertion.') from None
        account = self.accounts.get(claims.get('iss'))
        if account is None or account.is_disabled:
            raise TokenRefusal(400, 'invalid_grant', 'Invalid grant: account not found')
        keys = [account.keys[head['kid']]] if head.get('kid') in account.keys else \
            [] if head.get('kid') else list(account.keys.values())
        if head.get('alg') != 'RS256' or not any(
                key.verifies(f'{head64}.{claims64}'.encode(), signature) for key in keys):
            raise TokenRefusal(400, 'invalid_grant', 'Invalid JWT Signature.')
        self._check_times(*times)
        if claims.get('aud') not in (*AUDIENCES, *own_uris):
            raise TokenRefusal(400, 'invalid_grant', 'Invalid JWT: Failed audience check. The right audience is '
                                                     'https://oauth2.googleapis.com/token')
        scopes = set(str(claims.get('scope', '')).split())
        if not scopes or not scopes <= SCOPES:
            raise TokenRefusal(400, 'invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
        return self._subject(account, claims.get('sub'), scopes), self.world.users[account.email].project, scopes

    def _check_times(self, issued_at, expires):
        now = self.world.now() / 1000
        if not (issued_at <= now < expires and expires - issued_at <= 3600):
            raise TokenRefusal(400, 'invalid_grant', TIMEFRAME)

    def _subject(self, account, subject, scopes):
        if subject in (None, account.email):
            return account.email
        if not scopes <= account.delegated:
            raise TokenRefusal(401, 'unauthorized_client', 'Client is unauthorized to retrieve access tokens using '
                                                           'this method, or client not authorized for any of the '
                                                           'scopes requested.')
        if subject not in self.world.users or self.world.users[subject].is_service:
            raise TokenRefusal(400, 'invalid_grant', 'Invalid email or User ID')
        return subject

    def _by_refresh(self, fields):
        known = self.refresh.get(fields.get('refresh_token'))
        if known is None:
            raise TokenRefusal(400, 'invalid_grant', 'Token has been expired or revoked.')
        client, secret, email = known
        if (fields.get('client_id'), fields.get('client_secret')) != (client, secret):
            raise TokenRefusal(401, 'invalid_client', 'Unauthorized')
        return email, 'stand-in', {DRIVE}

    def user_of(self, header, fault):
        """The user of an Authorization header and the scopes; refused without a good one."""
        if not header:
            raise refusal.Refusal(403, 'forbidden', "Method doesn't allow unregistered callers (callers without "
                                                    'established identity). Please use API Key or other form of API '
                                                    'consumer identity to call this API.')
        kind, _, token = header.partition(' ')
        if 'expire_token' in fault:
            self.valid.pop(token, None)
        email, project, scopes, until = self.valid.get(token, (None, None, None, 0))
        if kind.lower() != 'bearer' or until <= self.world.now() or email not in self.world.users:
            self.valid.pop(token, None)
            raise refusal.Refusal(401, 'authError', 'Invalid Credentials', 'Authorization')
        user = self.world.users[email]
        return user, scopes

    def revoke_all(self):
        n = len(self.valid)
        self.valid.clear()
        return n


def check_scopes(scopes, is_writing, is_media):
    """Refuses what the token's scopes do not reach."""
    writes = {DRIVE, f'{DRIVE}.file', f'{DRIVE}.appdata'}
    reads = writes | {f'{DRIVE}.readonly'}
    metadata = reads | {f'{DRIVE}.metadata', f'{DRIVE}.metadata.readonly'}
    wanted = writes if is_writing else reads if is_media else metadata
    if not scopes & wanted:
        raise refusal.Refusal(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.')
