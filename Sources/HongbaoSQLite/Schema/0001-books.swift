extension Schema {
    /// Accounts, transfers, holds, withdrawals, budgets and the log of signed batches.
    ///
    /// A constraint that carries an invariant of docs/money-safety.md says which. Numbers without a sign (persons,
    /// owners, both halves of a transfer's ID) are stored as the signed integer with the same bits, so small ones stay
    /// small and those from 2^63 on sort before zero.
    static let books0001 = Migration(
        id: "0001-books",
        sql: """
            CREATE TABLE account (
                book INTEGER NOT NULL CHECK (book BETWEEN 0 AND 65535),
                kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),
                owner INTEGER NOT NULL,
                debits INTEGER NOT NULL CHECK (debits >= 0),
                credits INTEGER NOT NULL CHECK (credits >= 0),
                held INTEGER NOT NULL CHECK (held >= 0),
                holds_started INTEGER NOT NULL CHECK (holds_started BETWEEN 0 AND 4294967295),
                -- M2: only the treasury (kind 1) may be overdrawn.
                CHECK (kind = 1 OR debits + held <= credits),
                PRIMARY KEY (book, kind, owner)
            ) STRICT, WITHOUT ROWID;

            -- The ID's two halves are the person and the part: scene, rain, award type and stage, or a serial number.
            CREATE TABLE transfer (
                person INTEGER NOT NULL,
                part INTEGER NOT NULL,
                debit_kind INTEGER NOT NULL CHECK (debit_kind BETWEEN 1 AND 4),
                debit_owner INTEGER NOT NULL,
                credit_kind INTEGER NOT NULL CHECK (credit_kind BETWEEN 1 AND 4),
                credit_owner INTEGER NOT NULL,
                amount INTEGER NOT NULL CHECK (amount > 0),
                at INTEGER NOT NULL,
                posted_at INTEGER NOT NULL,
                app INTEGER NOT NULL CHECK (app BETWEEN 0 AND 65535),
                -- M1: a transfer moves money from one account to another one. Both are of the book in `part` (M13).
                CHECK (debit_kind <> credit_kind OR debit_owner <> credit_owner),
                -- M3: a grant (its scene number isn't 0) is paid to the person in its order number.
                CHECK (part >> 32 & 65535 = 0 OR (credit_kind = 3 AND credit_owner = person)),
                -- M4: what comes from a budget comes from that of the scene in the order number.
                CHECK (part >> 32 & 65535 = 0 OR debit_kind <> 2 OR debit_owner = part >> 32 & 65535),
                -- M3: at most one transfer for an order number.
                PRIMARY KEY (person, part)
            ) STRICT, WITHOUT ROWID;
            -- M2: entries are immutable, so that a balance can be checked against them for ever.
            CREATE TRIGGER transfer_is_final BEFORE UPDATE ON transfer
                BEGIN SELECT RAISE(ABORT, 'M2: a transfer is never changed'); END;
            CREATE TRIGGER transfer_stays BEFORE DELETE ON transfer
                BEGIN SELECT RAISE(ABORT, 'M2: a transfer is never deleted'); END;

            CREATE TABLE hold (
                person INTEGER NOT NULL,
                part INTEGER NOT NULL,
                debit_kind INTEGER NOT NULL CHECK (debit_kind BETWEEN 1 AND 4),
                debit_owner INTEGER NOT NULL,
                credit_kind INTEGER NOT NULL CHECK (credit_kind BETWEEN 1 AND 4),
                credit_owner INTEGER NOT NULL,
                amount INTEGER NOT NULL CHECK (amount > 0),
                at INTEGER NOT NULL,
                -- 1 pending, 2 posted, 3 voided
                state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
                -- M1
                CHECK (debit_kind <> credit_kind OR debit_owner <> credit_owner),
                PRIMARY KEY (person, part)
            ) STRICT, WITHOUT ROWID;
            CREATE TRIGGER hold_goes_forward BEFORE UPDATE ON hold WHEN OLD.state <> 1 AND NEW.state <> OLD.state
                BEGIN SELECT RAISE(ABORT, 'M10: a hold that is posted or voided stays so'); END;
            CREATE TRIGGER hold_is_final
                BEFORE UPDATE OF person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at ON hold
                BEGIN SELECT RAISE(ABORT, 'M2: of a hold only the state changes'); END;
            CREATE TRIGGER hold_stays BEFORE DELETE ON hold
                BEGIN SELECT RAISE(ABORT, 'M2: a hold is never deleted'); END;

            CREATE TABLE withdrawal (
                person INTEGER NOT NULL,
                book INTEGER NOT NULL CHECK (book BETWEEN 0 AND 65535),
                id TEXT NOT NULL CHECK (length(id) BETWEEN 1 AND 64 AND id NOT GLOB '*[^A-Za-z0-9_-]*'),
                serial INTEGER NOT NULL CHECK (serial BETWEEN 1 AND 4294967295),
                amount INTEGER NOT NULL CHECK (amount > 0),
                created_at INTEGER NOT NULL,
                -- 1 pending, 2 paid, 3 failed
                state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
                attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
                next_check_at INTEGER NOT NULL,
                final_at INTEGER,
                -- M10: final when, and only when, there is a time at which it became so.
                CHECK ((state = 1) = (final_at IS NULL)),
                -- M14: one withdrawal for each ID that the client chose.
                PRIMARY KEY (person, book, id),
                -- M9: one payout order for each withdrawal.
                UNIQUE (person, book, serial)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX withdrawal_due ON withdrawal (next_check_at) WHERE state = 1;
            CREATE TRIGGER withdrawal_goes_forward BEFORE UPDATE ON withdrawal
                WHEN OLD.state <> 1 AND (NEW.state <> OLD.state OR NEW.final_at IS NOT OLD.final_at)
                BEGIN SELECT RAISE(ABORT, 'M10: a final withdrawal stays as it is'); END;
            CREATE TRIGGER withdrawal_is_promised
                BEFORE UPDATE OF person, book, id, serial, amount, created_at ON withdrawal
                BEGIN SELECT RAISE(ABORT, 'M15: what was promised to the payout channel is never changed'); END;
            CREATE TRIGGER withdrawal_stays BEFORE DELETE ON withdrawal
                BEGIN SELECT RAISE(ABORT, 'M15: a withdrawal is never deleted'); END;

            CREATE TABLE budget (
                scene INTEGER PRIMARY KEY CHECK (scene BETWEEN 0 AND 4294967295),
                total INTEGER NOT NULL CHECK (total >= 0),
                allotted INTEGER NOT NULL,
                -- M6
                CHECK (allotted BETWEEN 0 AND total)
            ) STRICT;

            CREATE TABLE lease (
                scene INTEGER NOT NULL REFERENCES budget (scene),
                mint INTEGER NOT NULL CHECK (mint BETWEEN 0 AND 4294967295),
                epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
                allotted INTEGER NOT NULL,
                issued INTEGER NOT NULL,
                expires_at INTEGER NOT NULL,
                -- M6
                CHECK (issued BETWEEN 0 AND allotted),
                PRIMARY KEY (scene, mint)
            ) STRICT, WITHOUT ROWID;
            CREATE TRIGGER lease_goes_forward BEFORE UPDATE ON lease
                WHEN NEW.issued < OLD.issued OR NEW.epoch < OLD.epoch
                BEGIN SELECT RAISE(ABORT, 'M6: what was issued stays issued'); END;

            CREATE TABLE mint (
                id INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 4294967295),
                epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
                last_sequence INTEGER NOT NULL,
                posted_sequence INTEGER NOT NULL CHECK (posted_sequence >= 0),
                -- M5: nothing is posted that isn't in the log.
                CHECK (posted_sequence <= last_sequence)
            ) STRICT;
            CREATE TRIGGER mint_goes_forward BEFORE UPDATE ON mint
                WHEN NEW.epoch < OLD.epoch OR NEW.last_sequence < OLD.last_sequence
                    OR NEW.posted_sequence < OLD.posted_sequence
                BEGIN SELECT RAISE(ABORT, 'M10: a mint only goes forward'); END;

            CREATE TABLE epoch (
                mint INTEGER NOT NULL REFERENCES mint (id),
                epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
                certificate BLOB NOT NULL,
                wrapped_data_key BLOB NOT NULL,
                revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
                PRIMARY KEY (mint, epoch)
            ) STRICT;
            CREATE TRIGGER epoch_stays_revoked BEFORE UPDATE ON epoch WHEN NEW.revoked < OLD.revoked
                BEGIN SELECT RAISE(ABORT, 'M10: a revoked epoch stays revoked'); END;

            CREATE TABLE grant_batch (
                mint INTEGER NOT NULL REFERENCES mint (id),
                sequence INTEGER NOT NULL CHECK (sequence >= 1),
                epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295),
                count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 256),
                -- M4: at least 1 fen for each grant.
                total INTEGER NOT NULL CHECK (total >= count),
                at INTEGER NOT NULL,
                record BLOB NOT NULL,
                -- M5: a sequence names one batch.
                PRIMARY KEY (mint, sequence)
            ) STRICT;
            CREATE TRIGGER grant_batch_is_final BEFORE UPDATE ON grant_batch
                BEGIN SELECT RAISE(ABORT, 'M4: what was accepted is never changed'); END;
            CREATE TRIGGER grant_batch_stays BEFORE DELETE ON grant_batch
                BEGIN SELECT RAISE(ABORT, 'M5: what was accepted is never deleted'); END;
            """
    )
}
