#!/bin/sh
# Gate: every C file is as clang-format writes it. Version 19, since versions differ in details.
cd "$(dirname "$0")/../.." || exit 1
format=${CLANG_FORMAT:-clang-format-19}
if ! command -v "$format" >/dev/null; then
    echo "skipped: no $format (apt install clang-format-19)"
    exit 77
fi
find fs providers sync tests tools -name '*.[ch]' -print0 |
    xargs -0 -n 40 -P 2 "$format" --dry-run -Werror || {
    echo "format: run $format -i on the files above"
    exit 1
}
echo "format: ok"
