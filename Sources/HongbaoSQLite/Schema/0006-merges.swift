extension Schema {
    /// Merges that all mints of a cluster have to know of first, and the orders that they lay open for each other
    /// (ID-3, DP-3).
    static let merges0006 = Migration(
        id: "0006-merges",
        sql: """
            CREATE TABLE pending_merge (
                source INTEGER PRIMARY KEY CHECK (source <> 0),
                target INTEGER NOT NULL CHECK (target <> 0 AND target <> source),
                user BLOB NOT NULL CHECK (length(user) = 16),
                phone BLOB NOT NULL CHECK (length(phone) = 16),
                joins INTEGER NOT NULL CHECK (joins IN (0, 1)),
                at INTEGER NOT NULL,
                mints INTEGER NOT NULL CHECK (mints BETWEEN 1 AND 64),
                -- A bit for each mint, of mint 1 the lowest, and how many are missing.
                acknowledged INTEGER NOT NULL,
                waiting INTEGER NOT NULL CHECK (waiting BETWEEN 0 AND mints)
            ) STRICT;
            CREATE TRIGGER merge_is_known_to_all BEFORE INSERT ON merge
                WHEN EXISTS (SELECT 1 FROM mint WHERE mints > 1) AND NOT EXISTS (
                    SELECT 1 FROM pending_merge WHERE source = NEW.source AND target = NEW.target AND waiting = 0
                )
                BEGIN SELECT RAISE(ABORT, 'ID-3: a mint doesn''t know of this merge'); END;

            -- The order's number, in the two halves of a transfer's, and where in which mint's log it is.
            CREATE TABLE merged_order (
                person INTEGER NOT NULL CHECK (person <> 0),
                part INTEGER NOT NULL,
                mint INTEGER NOT NULL REFERENCES mint (id),
                sequence INTEGER NOT NULL CHECK (sequence BETWEEN 1 AND 281474976710655),
                place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 255),
                amount INTEGER NOT NULL CHECK (amount >= 0),
                meant INTEGER NOT NULL CHECK (meant BETWEEN 0 AND 65535),
                given INTEGER NOT NULL CHECK (given BETWEEN 0 AND 65535),
                status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 255),
                PRIMARY KEY (person, part)
            ) STRICT, WITHOUT ROWID;
            CREATE TRIGGER merged_order_is_final BEFORE UPDATE ON merged_order
                BEGIN SELECT RAISE(ABORT, 'M14: an order that was accepted is never changed'); END;
            CREATE TRIGGER merged_order_stays BEFORE DELETE ON merged_order
                BEGIN SELECT RAISE(ABORT, 'M14: an order that was accepted is never deleted'); END;
            """
    )
}
