"""Character accuracy of read text against known text: 1 - edit distance / number of known characters.

The distance is Levenshtein's; runs of white space count as one blank. Accuracy over several pages weighs
every character alike, and is negative when more is wrong than there was to read.
"""
import re


def distance(a, b):
    """Levenshtein distance, by the bit-parallel method of Myers (1999) in the form of Hyyro (2003)."""
    if not a or not b:
        return len(a) + len(b)
    places = {}
    for index, letter in enumerate(a):
        places[letter] = places.get(letter, 0) | 1 << index
    mask, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, score = mask, 0, len(a)
    for letter in b:
        equal = places.get(letter, 0)
        vertical = equal | down
        diagonal = (((equal & up) + up) ^ up) | equal
        plus = down | (mask & ~(diagonal | up))
        minus = up & diagonal
        score += bool(plus & last) - bool(minus & last)
        plus, minus = (plus << 1 | 1) & mask, minus << 1 & mask
        up = minus | (mask & ~(vertical | plus))
        down = plus & vertical
    return score


def clean(text):
    return re.sub(r"\s+", " ", text).strip()


def page_errors(known, read):
    """Errors of one page as a whole: its lines in reading order, joined by blanks."""
    return distance(clean(" ".join(known)), clean(" ".join(read)))


def line_errors(known, read):
    """Errors of one page line by line, whatever the order: each known line goes with the line read that is
    nearest to it, nearest pairs first; a line without a partner counts with its whole length."""
    known, read = list(map(clean, known)), list(map(clean, read))
    pairs = sorted((distance(a, b) / max(len(a), len(b), 1), i, j)
                   for i, a in enumerate(known) for j, b in enumerate(read))
    left, right, errors = set(range(len(known))), set(range(len(read))), 0
    for ratio, i, j in pairs:
        if i in left and j in right and ratio < 1:
            errors += distance(known[i], read[j])
            left.remove(i)
            right.remove(j)
    return errors + sum(len(known[i]) for i in left) + sum(len(read[j]) for j in right)


def accuracy(truth, read, errors_of):
    """`truth` and `read` map a file to its lines; a file that was not read counts as read with no line."""
    total = sum(len(clean(" ".join(lines))) for lines in truth.values())
    return 1 - sum(errors_of(lines, read.get(file, [])) for file, lines in truth.items()) / max(total, 1)
