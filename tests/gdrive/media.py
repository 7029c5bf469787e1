"""
Bytes that go out: alt=media of a file or of one revision, with ranges, and who may not have them.
"""

import re

from . import refusal, resource
from .wire import Response


def byte_range(text, size):
    """First byte and end, exclusive; None for the whole."""
    match = re.fullmatch(r'bytes=(\d*)-(\d*)', (text or '').strip())
    if not match or match.group(1) == match.group(2) == '':
        return None
    if match.group(1) == '':
        start, end = max(size - int(match.group(2)), 0), size
    else:
        start = int(match.group(1))
        end = min(int(match.group(2)) + 1, size) if match.group(2) else size
    if start >= size or end <= start:
        raise refusal.Refusal(416, 'requestedRangeNotSatisfiable', 'Request range not satisfiable', 'Range')
    return start, end


def check(call, entry):
    may = resource.capabilities(entry, call.world, call.user)
    if entry.content is None:
        raise refusal.common('fileNotDownloadable')
    if not may['canDownload']:
        raise refusal.Refusal(403, 'cannotDownloadFile', 'This file cannot be downloaded by the user.')
    acknowledged = call.flag('acknowledgeAbuse')
    if 'abusive' in entry.flags:
        if not acknowledged:
            raise refusal.common('cannotDownloadAbusiveFile')
        if not may['canDelete']:
            raise refusal.Refusal(403, 'cannotDownloadAbusiveFile', 'Only the owner can download abusive files.')
    elif acknowledged:
        raise refusal.Refusal(403, 'invalidAbuseAcknowledgment',
                              'Files that have not been flagged as malware or spam cannot be acknowledged as such.')
    if 'download-quota' in entry.flags:
        raise refusal.common('downloadQuotaExceeded')


def send(request, content, mime):
    try:
        span = byte_range(request.headers.get('range'), content.size)
    except refusal.Refusal as error:
        return Response(416, [('Content-Type', 'application/json; charset=UTF-8'),
                              ('Content-Range', f'bytes */{content.size}')], error.body().encode())
    start, end = span or (0, content.size)
    headers = [('Content-Type', mime), ('Content-Length', str(end - start)), ('Accept-Ranges', 'bytes')]
    if span:
        headers.append(('Content-Range', f'bytes {start}-{end - 1}/{content.size}'))
    return Response(206 if span else 200, headers, content=content.pieces(start, end), length=end - start)


def of_file(call):
    with call.world.lock:
        entry = call.entry(any_drive=True)
        check(call, entry)
        content, mime = entry.content, entry.mime
    return send(call.request, content, mime)
