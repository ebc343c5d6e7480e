extension Schema {
    /// Red packets, claims and refunds, the subsidies that pay for packets, and the accounts that they need.
    ///
    /// SQLite can't change a CHECK, so `account`, `transfer` and `hold` are made again with five more kinds of account
    /// and all their rows. A packet's tables carry M7 and M8 by themselves: at most `count` claims, one for each person
    /// and position, none before payment or after the end, one refund of exactly what is left.
    static let redPackets0002 = Migration(
        id: "0002-red-packets",
        sql: moreKindsOfAccount + kindsOfBudget + """
            CREATE TABLE packet (
                id INTEGER PRIMARY KEY CHECK (id <> 0),
                sender INTEGER NOT NULL,
                book INTEGER NOT NULL CHECK (book BETWEEN 0 AND 65535),
                send_id TEXT NOT NULL CHECK (length(send_id) BETWEEN 1 AND 64 AND send_id NOT GLOB '*[^A-Za-z0-9_-]*'),
                -- 1 c2c, 2 b2c
                kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 2),
                -- 1 equal, 2 lucky
                split INTEGER NOT NULL CHECK (split BETWEEN 1 AND 2),
                amount INTEGER NOT NULL,
                count INTEGER NOT NULL CHECK (count BETWEEN 1 AND 1000000),
                -- 1 everyone, 2 followers, 3 friends, 4 listed
                scope INTEGER NOT NULL CHECK (scope BETWEEN 1 AND 4),
                created_at INTEGER NOT NULL,
                -- 1 created, 2 paying, 3 published, 4 exhausted, 5 expired, 6 closing, 7 closed, 8 abandoned
                state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 8),
                -- The payment's transfer, or the one that granted the subsidy which paid.
                funding_person INTEGER,
                funding_part INTEGER,
                published_at INTEGER,
                expires_at INTEGER,
                closed_at INTEGER,
                claimed INTEGER NOT NULL,
                claimed_count INTEGER NOT NULL,
                luckiest_position INTEGER,
                luckiest_share INTEGER,
                transferred INTEGER NOT NULL,
                refunded INTEGER NOT NULL,
                attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
                next_check_at INTEGER NOT NULL,
                commitment BLOB NOT NULL CHECK (length(commitment) = 32),
                sealed_seed BLOB NOT NULL,
                greeting TEXT NOT NULL CHECK (length(CAST(greeting AS BLOB)) <= 512),
                video TEXT NOT NULL CHECK (length(CAST(video AS BLOB)) <= 512),
                -- Persons, 8 bytes each, the most significant first.
                listed BLOB NOT NULL CHECK (length(listed) % 8 = 0 AND length(listed) <= 8000),
                CHECK ((scope = 4) = (length(listed) > 0)),
                -- M7: at least one fen for each share, claimed or not, and no more claims than shares.
                CHECK (claimed_count BETWEEN 0 AND count),
                CHECK (claimed >= claimed_count AND amount - claimed >= count - claimed_count),
                CHECK (claimed_count < count OR claimed = amount),
                -- M7: nothing before payment.
                CHECK ((state BETWEEN 3 AND 7) = (funding_part IS NOT NULL)),
                CHECK ((funding_part IS NULL) = (funding_person IS NULL)),
                CHECK ((funding_part IS NULL) = (published_at IS NULL)),
                CHECK ((published_at IS NULL) = (expires_at IS NULL)),
                CHECK (expires_at IS NULL OR expires_at > published_at),
                CHECK (claimed_count = 0 OR funding_part IS NOT NULL),
                -- A packet is published as long as shares are left, and exhausted when none is.
                CHECK (state <> 3 OR claimed_count < count),
                CHECK (state <> 4 OR claimed_count = count),
                CHECK (state <> 5 OR claimed_count < count),
                CHECK ((claimed_count = 0) = (luckiest_position IS NULL)),
                CHECK ((luckiest_position IS NULL) = (luckiest_share IS NULL)),
                CHECK (luckiest_position IS NULL OR luckiest_position BETWEEN 0 AND claimed_count - 1),
                -- M7: one refund, of all that is left, once it can't be claimed any more.
                CHECK (refunded = 0 OR (refunded = amount - claimed AND state BETWEEN 6 AND 7)),
                -- M8: only what was claimed is transferred; at close everything is where it belongs.
                CHECK (transferred BETWEEN 0 AND claimed),
                CHECK (state <> 7 OR transferred + refunded = amount),
                CHECK ((state = 7) = (closed_at IS NOT NULL)),
                -- M14: one packet for each ID that the client chose.
                UNIQUE (sender, book, send_id),
                -- SU-4: a subsidy (its order number), or a payment, pays for one packet.
                UNIQUE (funding_person, funding_part)
            ) STRICT;
            CREATE INDEX packet_due ON packet (next_check_at) WHERE state < 7 AND state <> 2;
            CREATE INDEX packet_to_pay ON packet (next_check_at) WHERE state = 2;
            CREATE TRIGGER packet_goes_forward BEFORE UPDATE ON packet
                WHEN NEW.state < OLD.state OR (OLD.state = 7 AND NEW.state <> 7) OR (NEW.state = 8 AND OLD.state > 2
                        AND OLD.state <> 8) OR (OLD.state = 4 AND NEW.state = 5)
                    OR (OLD.funding_part IS NOT NULL AND (NEW.funding_part <> OLD.funding_part
                        OR NEW.funding_person <> OLD.funding_person OR NEW.published_at <> OLD.published_at
                        OR NEW.expires_at <> OLD.expires_at))
                BEGIN SELECT RAISE(ABORT, 'M10: a packet only goes forward'); END;
            CREATE TRIGGER packet_pays_out_once BEFORE UPDATE ON packet
                WHEN NEW.claimed < OLD.claimed OR NEW.claimed_count < OLD.claimed_count
                    OR (NEW.claimed - OLD.claimed < NEW.claimed_count - OLD.claimed_count)
                    OR (NEW.claimed <> OLD.claimed AND OLD.state <> 3)
                    OR (OLD.refunded > 0 AND NEW.refunded <> OLD.refunded) OR NEW.transferred < OLD.transferred
                BEGIN SELECT RAISE(ABORT, 'M7: what was claimed or refunded stays so'); END;
            CREATE TRIGGER packet_is_promised
                BEFORE UPDATE OF id, sender, book, send_id, kind, split, amount, count, scope, created_at, commitment,
                    sealed_seed, greeting, video, listed ON packet
                BEGIN SELECT RAISE(ABORT, 'M15: what was sent is never changed'); END;
            CREATE TRIGGER packet_stays BEFORE DELETE ON packet
                BEGIN SELECT RAISE(ABORT, 'M15: a packet is never deleted'); END;

            CREATE TABLE claim (
                packet INTEGER NOT NULL,
                position INTEGER NOT NULL CHECK (position >= 0),
                person INTEGER NOT NULL CHECK (person <> 0),
                book INTEGER NOT NULL,
                kind INTEGER NOT NULL,
                share INTEGER NOT NULL CHECK (share > 0),
                at INTEGER NOT NULL,
                -- 1 pending, 2 done
                state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
                attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
                next_check_at INTEGER NOT NULL,
                done_at INTEGER,
                -- M10: done when, and only when, there is a time at which it became so.
                CHECK ((state = 1) = (done_at IS NULL)),
                -- M7: a share is one claim's, and a person has one share.
                PRIMARY KEY (packet, position),
                UNIQUE (person, packet)
            ) STRICT, WITHOUT ROWID;
            CREATE INDEX claim_due ON claim (kind, next_check_at) WHERE state = 1;
            CREATE TRIGGER claim_fits BEFORE INSERT ON claim
                WHEN NOT EXISTS (
                    SELECT 1 FROM packet WHERE id = NEW.packet AND state = 3 AND NEW.at < expires_at
                        AND NEW.position BETWEEN claimed_count AND count - 1 AND book = NEW.book AND kind = NEW.kind
                        AND NEW.share <= amount - claimed
                )
                BEGIN SELECT RAISE(ABORT, 'M7: the packet has no such share to claim'); END;
            CREATE TRIGGER claim_goes_forward BEFORE UPDATE ON claim WHEN OLD.state = 2
                BEGIN SELECT RAISE(ABORT, 'M10: a claim that is done stays as it is'); END;
            CREATE TRIGGER claim_is_promised BEFORE UPDATE OF packet, position, person, book, kind, share, at ON claim
                BEGIN SELECT RAISE(ABORT, 'M15: what was claimed is never changed'); END;
            CREATE TRIGGER claim_stays BEFORE DELETE ON claim
                BEGIN SELECT RAISE(ABORT, 'M15: a claim is never deleted'); END;

            """ + refunds + subsidies
    )

    private static let refunds = """
        CREATE TABLE refund (
            packet INTEGER NOT NULL,
            number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
            person INTEGER NOT NULL CHECK (person <> 0),
            book INTEGER NOT NULL,
            amount INTEGER NOT NULL CHECK (amount > 0),
            -- 1 unclaimed, 2 another amount was paid, 3 the payment came too late
            reason INTEGER NOT NULL CHECK (reason BETWEEN 1 AND 3),
            created_at INTEGER NOT NULL,
            -- 1 pending, 2 done, 3 failed
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
            attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
            next_check_at INTEGER NOT NULL,
            final_at INTEGER,
            -- M10: final when, and only when, there is a time at which it became so.
            CHECK ((state = 1) = (final_at IS NULL)),
            PRIMARY KEY (packet, number)
        ) STRICT, WITHOUT ROWID;
        -- M7: of a packet's refunds at most one is done or may yet be.
        CREATE UNIQUE INDEX refund_is_one ON refund (packet) WHERE state < 3;
        CREATE INDEX refund_due ON refund (next_check_at) WHERE state = 1;
        CREATE TRIGGER refund_fits BEFORE INSERT ON refund
            WHEN NEW.state <> 1
                OR NEW.number <> 1 + (SELECT count(*) FROM refund WHERE packet = NEW.packet)
                OR EXISTS (
                    SELECT 1 FROM refund
                    WHERE packet = NEW.packet AND (amount <> NEW.amount OR reason <> NEW.reason)
                )
                OR NOT EXISTS (
                    -- What came by subsidy goes back inside, without an order.
                    SELECT 1 FROM packet WHERE id = NEW.packet AND sender = NEW.person AND book = NEW.book AND kind = 1
                        AND CASE NEW.reason WHEN 1 THEN state = 6 AND refunded = 0 AND NEW.amount = amount - claimed
                            ELSE state = 8 END
                )
            BEGIN SELECT RAISE(ABORT, 'M7: the packet has no such refund'); END;
        CREATE TRIGGER refund_goes_forward BEFORE UPDATE ON refund WHEN OLD.state <> 1
            BEGIN SELECT RAISE(ABORT, 'M10: a refund that is final stays as it is'); END;
        CREATE TRIGGER refund_is_promised
            BEFORE UPDATE OF packet, number, person, book, amount, reason, created_at ON refund
            BEGIN SELECT RAISE(ABORT, 'M15: what a refund gives back is never changed'); END;
        CREATE TRIGGER refund_stays BEFORE DELETE ON refund
            BEGIN SELECT RAISE(ABORT, 'M15: a refund is never deleted'); END;
        """

    private static let subsidies = """
        -- A subsidy's key is that of the transfer that grants it: its order number.
        CREATE TABLE subsidy (
            person INTEGER NOT NULL,
            part INTEGER NOT NULL,
            amount INTEGER NOT NULL,
            at INTEGER NOT NULL,
            -- 1 granted, 2 used
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
            -- The red packet that it has paid for.
            packet INTEGER,
            CHECK ((state = 2) = (packet IS NOT NULL)),
            PRIMARY KEY (person, part)
        ) STRICT, WITHOUT ROWID;
        -- SU-4: a packet is paid for by one subsidy.
        CREATE UNIQUE INDEX subsidy_packet ON subsidy (packet) WHERE packet IS NOT NULL;
        CREATE TRIGGER subsidy_is_booked BEFORE INSERT ON subsidy
            WHEN NEW.state <> 1 OR NOT EXISTS (
                SELECT 1 FROM transfer WHERE person = NEW.person AND part = NEW.part AND amount = NEW.amount
                    AND part >> 32 & 65535 <> 0 AND credit_kind = 9
            )
            BEGIN SELECT RAISE(ABORT, 'M4: a subsidy is what was booked'); END;
        CREATE TRIGGER subsidy_is_used_once BEFORE UPDATE ON subsidy WHEN OLD.state = 2
            BEGIN SELECT RAISE(ABORT, 'SU-4: a subsidy pays for one packet'); END;
        CREATE TRIGGER subsidy_fits BEFORE UPDATE ON subsidy
            WHEN NEW.state = 2 AND NOT EXISTS (
                SELECT 1 FROM packet WHERE id = NEW.packet AND kind = 2 AND sender = NEW.person
                    AND book = NEW.part >> 48 & 65535 AND amount = NEW.amount
                    AND funding_person = NEW.person AND funding_part = NEW.part
            )
            BEGIN SELECT RAISE(ABORT, 'SU-4: the packet isn''t paid for by this subsidy'); END;
        CREATE TRIGGER subsidy_is_promised BEFORE UPDATE OF person, part, amount, at ON subsidy
            BEGIN SELECT RAISE(ABORT, 'M15: what was granted is never changed'); END;
        CREATE TRIGGER subsidy_stays BEFORE DELETE ON subsidy
            BEGIN SELECT RAISE(ABORT, 'M15: a subsidy is never deleted'); END;
        """

    private static let kindsOfBudget = """
        -- 1 cash, 2 subsidy
        ALTER TABLE budget ADD COLUMN kind INTEGER NOT NULL DEFAULT 1 CHECK (kind BETWEEN 1 AND 2);
        CREATE TRIGGER budget_keeps_its_kind BEFORE UPDATE ON budget WHEN NEW.kind <> OLD.kind
            BEGIN SELECT RAISE(ABORT, 'M4: what a scene gives stays what it is'); END;


        """

    private static let moreKindsOfAccount = """
        CREATE TABLE new_account (
            book INTEGER NOT NULL CHECK (book BETWEEN 0 AND 65535),
            kind INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 9),
            owner INTEGER NOT NULL,
            debits INTEGER NOT NULL CHECK (debits >= 0),
            credits INTEGER NOT NULL CHECK (credits >= 0),
            held INTEGER NOT NULL CHECK (held >= 0),
            holds_started INTEGER NOT NULL CHECK (holds_started BETWEEN 0 AND 4294967295),
            -- M2: only the treasury (1) and the cashier (6) may be overdrawn.
            CHECK (kind IN (1, 6) OR debits + held <= credits),
            PRIMARY KEY (book, kind, owner)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_account SELECT book, kind, owner, debits, credits, held, holds_started FROM account;
        DROP TABLE account;
        ALTER TABLE new_account RENAME TO account;

        -- The ID's two halves are the person and the part: scene, rain, award type and stage, or a serial number; or
        -- the packet, and as serial number 2^31 and the position of a claim, 2^32 - 1 for the payment, 2^32 - 2 for
        -- the refund.
        CREATE TABLE new_transfer (
            person INTEGER NOT NULL,
            part INTEGER NOT NULL,
            debit_kind INTEGER NOT NULL CHECK (debit_kind BETWEEN 1 AND 9),
            debit_owner INTEGER NOT NULL,
            credit_kind INTEGER NOT NULL CHECK (credit_kind BETWEEN 1 AND 9),
            credit_owner INTEGER NOT NULL,
            amount INTEGER NOT NULL CHECK (amount > 0),
            at INTEGER NOT NULL,
            posted_at INTEGER NOT NULL,
            app INTEGER NOT NULL CHECK (app BETWEEN 0 AND 65535),
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
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_transfer
            SELECT person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, posted_at, app
            FROM transfer;
        DROP TABLE transfer;
        ALTER TABLE new_transfer RENAME TO transfer;
        CREATE TRIGGER transfer_is_final BEFORE UPDATE ON transfer
            BEGIN SELECT RAISE(ABORT, 'M2: a transfer is never changed'); END;
        CREATE TRIGGER transfer_stays BEFORE DELETE ON transfer
            BEGIN SELECT RAISE(ABORT, 'M2: a transfer is never deleted'); END;

        CREATE TABLE new_hold (
            person INTEGER NOT NULL,
            part INTEGER NOT NULL,
            debit_kind INTEGER NOT NULL CHECK (debit_kind BETWEEN 1 AND 8),
            debit_owner INTEGER NOT NULL,
            credit_kind INTEGER NOT NULL CHECK (credit_kind BETWEEN 1 AND 8),
            credit_owner INTEGER NOT NULL,
            amount INTEGER NOT NULL CHECK (amount > 0),
            at INTEGER NOT NULL,
            -- 1 pending, 2 posted, 3 voided
            state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
            -- M1
            CHECK (debit_kind <> credit_kind OR debit_owner <> credit_owner),
            PRIMARY KEY (person, part)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO new_hold
            SELECT person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, state FROM hold;
        DROP TABLE hold;
        ALTER TABLE new_hold RENAME TO hold;
        CREATE TRIGGER hold_goes_forward BEFORE UPDATE ON hold WHEN OLD.state <> 1 AND NEW.state <> OLD.state
            BEGIN SELECT RAISE(ABORT, 'M10: a hold that is posted or voided stays so'); END;
        CREATE TRIGGER hold_is_final
            BEFORE UPDATE OF person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at ON hold
            BEGIN SELECT RAISE(ABORT, 'M2: of a hold only the state changes'); END;
        CREATE TRIGGER hold_stays BEFORE DELETE ON hold
            BEGIN SELECT RAISE(ABORT, 'M2: a hold is never deleted'); END;


        """
}
