"""Plain tables for a terminal."""


def to_table(heads, rows):
    """Columns as wide as their widest cell; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]
    numeric = [all(row[column][:1].isdigit() for row in cells) for column in range(len(heads))]

    def line(row):
        aligned = [
            cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric)
        ]
        return "  ".join(aligned).rstrip()

    return "\n".join([line(heads), "  ".join("-" * width for width in widths), *map(line, cells)])
