"""The lucky split a second time, from docs/splits.md alone: prints the known answers of SplitVectorTests."""

import hashlib
import hmac
import math


def draw(seed, purpose, a, b):
    message = b"hongbao split 1\0" + bytes([purpose]) + a.to_bytes(4, "big") + b.to_bytes(4, "big")
    code = hmac.new(seed, message, hashlib.sha256).digest()
    return int.from_bytes(code[:16], "big"), int.from_bytes(code[16:], "big")


def below(word, bound):
    return word * bound >> 128


def place(seed, count, position):
    if count <= 20:
        choice = below(draw(seed, 2, count, 0)[0], math.factorial(count))
        for last in range(count - 1, 0, -1):
            choice, digit = divmod(choice, last + 1)
            if position == last:
                position = digit
            elif position == digit:
                position = last
        return position
    rows = math.isqrt(count - 1) + 1
    columns = -(-count // rows)
    while True:
        row, column = divmod(position, columns)
        for number in range(12):
            if number % 2 == 0:
                column = (column + below(draw(seed, 3, number, row)[0], columns)) % columns
            else:
                row = (row + below(draw(seed, 3, number, column)[0], rows)) % rows
        position = row * columns + column
        if position < count:
            return (position + below(draw(seed, 4, count, 0)[0], count)) % count


def share(seed, amount, count, position):
    target = place(seed, count, position)
    first, size, surplus = 0, count, amount - count
    while size > 1:
        half = size // 2
        spread, rounding = draw(seed, 1, first, size)
        lower = ((half - 1) * surplus + below(spread, 2 * surplus + 1) + below(rounding, size)) // size
        if target < first + half:
            size, surplus = half, lower
        else:
            first, size, surplus = first + half, size - half, surplus - lower
    return 1 + surplus


def commitment(packet, amount, count, kind, seed):
    numbers = packet.to_bytes(8, "big") + amount.to_bytes(8, "big") + count.to_bytes(4, "big") + bytes([kind])
    return hashlib.sha256(b"hongbao split commitment 1\0" + numbers + seed).hexdigest()


if __name__ == "__main__":
    counting, ones = bytes(range(32)), bytes([255] * 32)
    largest = 2**63 - 1
    packets = [(counting, 1000, 10), (counting, 1000, 7), (ones, 1000, 10), (counting, 30, 20)]
    packets += [(counting, largest, 3), (counting, 10**9, 21), (ones, 52, 40)]
    for seed, amount, count in packets:
        shares = [share(seed, amount, count, position) for position in range(count)]
        assert sum(shares) == amount and min(shares) >= 1
        print(seed.hex(), amount, count, shares)
    for seed in (counting, ones):
        for amount in (188_000_000, largest):
            print(seed.hex(), amount, 10**6, [share(seed, amount, 10**6, p) for p in (0, 1, 499_999, 999_999)])
    for packet in [(7, 1000, 10, 2, counting), (7, 1000, 10, 1, counting), (2**64 - 1, largest, 10**6, 2, ones)]:
        print(commitment(*packet))
