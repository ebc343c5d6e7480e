extension Schema {
    /// Merges that all mints of a cluster have to know of first, and the orders that they lay open for each other
    /// (ID-3, DP-3).
    static let merges0006 = Migration(number: 6, name: "merges", statements: pendingMerges + mergedOrders)

    private static let pendingMerges = [
        table(
            "pending_merge",
            """
            source BIGINT NOT NULL PRIMARY KEY CHECK (source <> 0),
            target BIGINT NOT NULL,
            user VARBINARY(16) NOT NULL CHECK (length(user) = 16),
            phone VARBINARY(16) NOT NULL CHECK (length(phone) = 16),
            joins TINYINT NOT NULL CHECK (joins IN (0, 1)),
            at BIGINT NOT NULL,
            mints BIGINT NOT NULL CHECK (mints BETWEEN 1 AND 64),
            -- A bit for each mint, of mint 1 the lowest, and how many are missing.
            acknowledged BIGINT NOT NULL,
            waiting BIGINT NOT NULL,
            CHECK (target <> 0 AND target <> source),
            CHECK (waiting BETWEEN 0 AND mints)
            """
        ),
        refusal(
            "merge_is_known_to_all",
            "INSERT ON merge",
            when: """
                EXISTS (SELECT 1 FROM mint WHERE mints > 1) AND NOT EXISTS (
                    SELECT 1 FROM pending_merge WHERE source = NEW.source AND target = NEW.target AND waiting = 0
                )
                """,
            "ID-3: a mint doesn''t know of this merge"
        ),
    ]

    private static let mergedOrders = [
        // The order's number, in the two halves of a transfer's, and where in which mint's log it is.
        table(
            "merged_order",
            """
            person BIGINT NOT NULL CHECK (person <> 0),
            part BIGINT NOT NULL,
            mint BIGINT NOT NULL,
            sequence BIGINT NOT NULL CHECK (sequence BETWEEN 1 AND 281474976710655),
            place BIGINT NOT NULL CHECK (place BETWEEN 0 AND 255),
            amount BIGINT NOT NULL CHECK (amount >= 0),
            meant BIGINT NOT NULL CHECK (meant BETWEEN 0 AND 65535),
            given BIGINT NOT NULL CHECK (given BETWEEN 0 AND 65535),
            status BIGINT NOT NULL CHECK (status BETWEEN 0 AND 255),
            PRIMARY KEY (person, part),
            FOREIGN KEY (mint) REFERENCES mint (id)
            """
        ),
        refusal("merged_order_is_final", "UPDATE ON merged_order", "M14: an order that was accepted is never changed"),
        refusal("merged_order_stays", "DELETE ON merged_order", "M14: an order that was accepted is never deleted"),
    ]
}
