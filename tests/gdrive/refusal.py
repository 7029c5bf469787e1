"""
What the service refuses, and in which words: status, reason, domain and message of each error that Drive is known to
answer with. Raised anywhere below the router, turned into an answer there.
"""

import json
from html import escape

# Reason -> domain, where it is not "global".
DOMAINS = {
    'rateLimitExceeded': 'usageLimits',
    'userRateLimitExceeded': 'usageLimits',
    'sharingRateLimitExceeded': 'usageLimits',
    'dailyLimitExceeded': 'usageLimits',
    'quotaExceeded': 'usageLimits',
    'accessNotConfigured': 'usageLimits',
    'downloadQuotaExceeded': 'usageLimits',
}
# Reason -> status and message, for faults that name the reason only.
COMMON = {
    'rateLimitExceeded': (403, 'Rate Limit Exceeded'),
    'userRateLimitExceeded': (403, 'User Rate Limit Exceeded. Rate of requests for user exceed configured project '
                                   'quota, you may consider re-evaluating expected per-user traffic to the API and '
                                   'adjust project quota limits accordingly.'),
    'sharingRateLimitExceeded': (403, 'Rate limit exceeded. User message: "These item(s) could not be shared '
                                      'because a rate limit was exceeded."'),
    'dailyLimitExceeded': (403, 'Daily Limit Exceeded'),
    'quotaExceeded': (403, 'The quota has been exceeded.'),
    'downloadQuotaExceeded': (403, 'The download quota for this file has been exceeded.'),
    'storageQuotaExceeded': (403, "The user's Drive storage quota has been exceeded."),
    'teamDriveFileLimitExceeded': (403, 'The file limit for this shared drive has been exceeded.'),
    'numChildrenInNonRootLimitExceeded': (403, "The limit for this folder's number of children (files and folders) "
                                               'has been exceeded.'),
    'activeItemCreationLimitExceeded': (403, "This account has exceeded the creation limit of 500 million items."),
    'teamDriveHierarchyTooDeep': (403, 'The shared drive hierarchy depth will exceed the limit.'),
    'myDriveHierarchyDepthLimitExceeded': (403, 'Your My Drive can not contain more than 100 levels of folders.'),
    'domainPolicy': (403, 'The domain administrators have disabled Drive apps.'),
    'teamDriveMembershipRequired': (403, 'The attempted action requires shared drive membership.'),
    'insufficientFilePermissions': (403, 'The user does not have sufficient permissions for this file.'),
    'insufficientParentPermissions': (403, 'Insufficient permissions for the specified parent.'),
    'appNotAuthorizedToFile': (403, 'The user has not granted the app permission to access the file.'),
    'cannotDownloadAbusiveFile': (403, 'This file has been identified as malware or spam and cannot be downloaded.'),
    'fileNotDownloadable': (403, 'Only files with binary content can be downloaded. Use Export with Docs Editors '
                                 'files.'),
    'accessNotConfigured': (403, 'Google Drive API has not been used in this project before or it is disabled.'),
    'authError': (401, 'Invalid Credentials'),
    'notFound': (404, 'File not found: .'),
    'backendError': (500, 'Internal Error'),
    'internalError': (500, 'Internal Error'),
    'fileIdInUse': (409, 'A file already exists with the provided ID.'),
    'badRequest': (400, 'Bad Request'),
    'invalid': (400, 'Invalid Value'),
}
PHRASES = {429: 'Too Many Requests', 500: 'Internal Error', 502: 'Bad Gateway', 503: 'Service Unavailable',
           504: 'Gateway Timeout'}


class Refusal(Exception):
    """An answer with an error; RETRY_AFTER in seconds."""

    def __init__(self, status, reason, message=None, location=None, retry_after=None):
        super().__init__(message or reason)
        self.status, self.reason = status, reason
        self.message = message if message is not None else COMMON.get(reason, (0, reason))[1]
        self.location, self.retry_after = location, retry_after

    def body(self):
        error = {'domain': DOMAINS.get(self.reason, 'global'), 'reason': self.reason, 'message': self.message}
        if self.location:
            kind = 'header' if self.location[0].isupper() else 'parameter'
            error.update(locationType=kind, location=self.location)
        return json.dumps({'error': {'code': self.status, 'message': self.message, 'errors': [error]}}, indent=1)


class TokenRefusal(Exception):
    """An error of the token endpoint, which has a form of its own (RFC 6749, 5.2)."""

    def __init__(self, status, error, description):
        super().__init__(description)
        self.status, self.error, self.description = status, error, description

    def body(self):
        return json.dumps({'error': self.error, 'error_description': self.description})


def common(reason, **more):
    """The refusal with the status and words that are usual for REASON."""
    status, message = COMMON[reason]
    return Refusal(status, reason, message, **more)


def not_found(file_id):
    return Refusal(404, 'notFound', f'File not found: {file_id}.', 'fileId')


def invalid(location, message='Invalid Value'):
    return Refusal(400, 'invalid', message, location)


def invalid_parameter(location, message):
    return Refusal(400, 'invalidParameter', message, location)


def html_page(status):
    """What Google's front end says by itself when what is behind it does not answer."""
    phrase = escape(PHRASES.get(status, 'Error'))
    return (f'<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error {status} ({phrase})!!1</title>\n'
            f'<p><b>{status}.</b> <ins>That\u2019s an error.</ins>\n'
            '<p>The server encountered a temporary error and could not complete your request.<p>Please try again '
            'in 30 seconds.  <ins>That\u2019s all we know.</ins>\n')
