extension Schema {
    /// Accounts, transfers, holds, withdrawals, budgets and the log of signed batches.
    ///
    /// A constraint that carries an invariant of docs/money-safety.md says which. Numbers without a sign (persons,
    /// owners, both halves of a transfer's ID) are stored as the signed integer with the same bits, so those from 2^63
    /// on sort before zero, as in SQLite.
    static let books0001 = Migration(number: 1, name: "books", statements: ledger + withdrawals + log)

    private static let ledger = [
        table(
            "account",
            """
            book SMALLINT UNSIGNED NOT NULL,
            kind TINYINT UNSIGNED NOT NULL CHECK (kind BETWEEN 1 AND 9),
            owner BIGINT NOT NULL,
            debits BIGINT NOT NULL CHECK (debits >= 0),
            credits BIGINT NOT NULL CHECK (credits >= 0),
            held BIGINT NOT NULL CHECK (held >= 0),
            holds_started BIGINT NOT NULL CHECK (holds_started BETWEEN 0 AND 4294967295),
            -- M2: only the treasury (1) and the cashier (6) may be overdrawn.
            CHECK (kind IN (1, 6) OR debits + held <= credits),
            PRIMARY KEY (book, kind, owner)
            """
        ),
        // The ID's two halves are the person and the part: scene, rain, award type and stage, or a serial number; or
        // the packet, and as serial number 2^31 and the position of a claim, 2^32 - 1 for the payment, 2^32 - 2 for
        // the refund.
        table(
            "transfer",
            """
            person BIGINT NOT NULL,
            part BIGINT NOT NULL,
            debit_kind TINYINT UNSIGNED NOT NULL CHECK (debit_kind BETWEEN 1 AND 9),
            debit_owner BIGINT NOT NULL,
            credit_kind TINYINT UNSIGNED NOT NULL CHECK (credit_kind BETWEEN 1 AND 9),
            credit_owner BIGINT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            at BIGINT NOT NULL,
            posted_at BIGINT NOT NULL,
            app SMALLINT UNSIGNED NOT NULL,
            -- M1: a transfer moves money from one account to another one. Both are of the book in `part` (M13).
            CHECK (debit_kind <> credit_kind OR debit_owner <> credit_owner),
            -- M3: a grant (its scene number isn't 0) is paid to the person in its order number, cash or a subsidy.
            CHECK (part >> 32 & 65535 = 0 OR (credit_kind IN (3, 9) AND credit_owner = person)),
            -- M4: what comes from a budget comes from that of the scene in the order number.
            CHECK (part >> 32 & 65535 = 0 OR debit_kind <> 2 OR debit_owner = part >> 32 & 65535),
            -- M7: what leaves a packet's escrow leaves it under the packet's own number.
            CHECK (debit_kind <> 5 OR (debit_owner = person AND part >> 31 & 131071 = 1)),
            -- SU-4: what leaves a person's subsidies goes into a red packet, under the packet's own number.
            CHECK (debit_kind <> 9 OR (credit_kind = 5 AND credit_owner = person AND part & 4294967295 = 4294967295
                AND part >> 32 & 65535 = 0)),
            -- M3: at most one transfer for an order number.
            PRIMARY KEY (person, part)
            """
        ),
        refusal("transfer_is_final", "UPDATE ON transfer", "M2: a transfer is never changed"),
        refusal("transfer_stays", "DELETE ON transfer", "M2: a transfer is never deleted"),
        table(
            "hold",
            """
            person BIGINT NOT NULL,
            part BIGINT NOT NULL,
            debit_kind TINYINT UNSIGNED NOT NULL CHECK (debit_kind BETWEEN 1 AND 8),
            debit_owner BIGINT NOT NULL,
            credit_kind TINYINT UNSIGNED NOT NULL CHECK (credit_kind BETWEEN 1 AND 8),
            credit_owner BIGINT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            at BIGINT NOT NULL,
            -- 1 pending, 2 posted, 3 voided
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 3),
            -- M1
            CHECK (debit_kind <> credit_kind OR debit_owner <> credit_owner),
            PRIMARY KEY (person, part)
            """
        ),
        refusal(
            "hold_goes_forward",
            "UPDATE ON hold",
            when: "OLD.state <> 1 AND NEW.state <> OLD.state",
            "M10: a hold that is posted or voided stays so"
        ),
        refusal(
            "hold_is_final",
            "UPDATE ON hold",
            when: changed(
                "person",
                "part",
                "debit_kind",
                "debit_owner",
                "credit_kind",
                "credit_owner",
                "amount",
                "at"
            ),
            "M2: of a hold only the state changes"
        ),
        refusal("hold_stays", "DELETE ON hold", "M2: a hold is never deleted"),
    ]

    private static let withdrawals = [
        table(
            "withdrawal",
            """
            person BIGINT NOT NULL,
            book SMALLINT UNSIGNED NOT NULL,
            id VARCHAR(64) NOT NULL CHECK (length(id) BETWEEN 1 AND 64 AND id NOT REGEXP '[^A-Za-z0-9_-]'),
            serial BIGINT NOT NULL CHECK (serial BETWEEN 1 AND 4294967295),
            amount BIGINT NOT NULL CHECK (amount > 0),
            created_at BIGINT NOT NULL,
            -- 1 pending, 2 paid, 3 failed
            state TINYINT UNSIGNED NOT NULL CHECK (state BETWEEN 1 AND 3),
            attempts BIGINT NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at BIGINT NOT NULL,
            final_at BIGINT,
            -- M10: final when, and only when, there is a time at which it became so.
            CHECK ((state = 1) = (final_at IS NULL)),
            -- M14: one withdrawal for each ID that the client chose.
            PRIMARY KEY (person, book, id),
            -- M9: one payout order for each withdrawal.
            UNIQUE KEY (person, book, serial),
            KEY withdrawal_due (state, next_check_at)
            """
        ),
        refusal(
            "withdrawal_goes_forward",
            "UPDATE ON withdrawal",
            when: "OLD.state <> 1 AND (NEW.state <> OLD.state OR NOT (NEW.final_at <=> OLD.final_at))",
            "M10: a final withdrawal stays as it is"
        ),
        refusal(
            "withdrawal_is_promised",
            "UPDATE ON withdrawal",
            when: changed("person", "book", "id", "serial", "amount", "created_at"),
            "M15: what was promised to the payout channel is never changed"
        ),
        refusal("withdrawal_stays", "DELETE ON withdrawal", "M15: a withdrawal is never deleted"),
    ]

    private static let log = [
        table(
            "mint",
            """
            id BIGINT NOT NULL PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967295),
            epoch BIGINT NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            last_sequence BIGINT NOT NULL,
            posted_sequence BIGINT NOT NULL CHECK (posted_sequence >= 0),
            -- M5: nothing is posted that isn't in the log.
            CHECK (posted_sequence <= last_sequence)
            """
        ),
        refusal(
            "mint_goes_forward",
            "UPDATE ON mint",
            when: """
                NEW.epoch < OLD.epoch OR NEW.last_sequence < OLD.last_sequence
                    OR NEW.posted_sequence < OLD.posted_sequence
                """,
            "M10: a mint only goes forward"
        ),
        table(
            "epoch",
            """
            mint BIGINT NOT NULL,
            epoch BIGINT NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            certificate BLOB NOT NULL,
            wrapped_data_key BLOB NOT NULL,
            revoked TINYINT NOT NULL CHECK (revoked IN (0, 1)),
            PRIMARY KEY (mint, epoch),
            FOREIGN KEY (mint) REFERENCES mint (id)
            """
        ),
        refusal(
            "epoch_stays_revoked",
            "UPDATE ON epoch",
            when: "NEW.revoked < OLD.revoked",
            "M10: a revoked epoch stays revoked"
        ),
        table(
            "grant_batch",
            """
            mint BIGINT NOT NULL,
            sequence BIGINT NOT NULL CHECK (sequence >= 1),
            epoch BIGINT NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
            count BIGINT NOT NULL CHECK (count BETWEEN 1 AND 256),
            total BIGINT NOT NULL CHECK (total >= 0),
            at BIGINT NOT NULL,
            record MEDIUMBLOB NOT NULL,
            -- Coupons and pendants in it, one piece each.
            pieces BIGINT NOT NULL DEFAULT 0,
            CHECK (pieces BETWEEN 0 AND count),
            -- M5: a sequence names one batch.
            PRIMARY KEY (mint, sequence),
            FOREIGN KEY (mint) REFERENCES mint (id)
            """
        ),
        refusal("grant_batch_is_final", "UPDATE ON grant_batch", "M4: what was accepted is never changed"),
        refusal("grant_batch_stays", "DELETE ON grant_batch", "M5: what was accepted is never deleted"),
    ]
}
