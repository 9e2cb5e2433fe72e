// SPDX-License-Identifier: Apache-2.0
#if Redis

import Redis

/// The steps of a store of inboxes as Redis runs them: each is done whole or not at all, on one primary.
///
/// | key, after the prefix | type | content |
/// |---|---|---|
/// | `ib` | set | the tunnels that have inboxes |
/// | `ibc` | hash | `n` the last number of an inbox, `b` the bytes of all messages |
/// | `ibx:<id>` | hash | `n` the inbox' number, `r` its record, `d`, `w` for how many seconds it keeps what was delivered, and what waits; `q` the last place, `m` messages, `b` bytes; `l` the edge that hands over, `u` until when in ms of Redis' clock |
/// | `ibs:<n>:<state>` | zset | places of the messages in a state, in the order in which they came |
/// | `ibd:<n>` | zset | places of those that wait, by when they are due |
/// | `ibi:<n>` | hash | id of a message: its place |
/// | `ibm:<n>:<place>` | hash | `i` id, `s` state, `t` when it came, `z` size, `y` of the body, `v` verified, `a` attempts, `c` status, `e` error, `h` head, `x` body |
/// | `ibg` | zset | numbers of inboxes that were removed, until their messages are gone |
///
/// A stream would keep the order, but neither states nor what people change; and its consumers share out messages, where the
/// order asks for one who takes them all. So an edge has a lease of the whole inbox as long as it hands messages over.
///
/// What happens is told on the channel `ibev`: `w <id>` there is something to hand over, `r <id>` the inbox is another one.
struct InboxScripts: Sendable {
    /// KEYS inbox; ARGV id, record, delivered s, waiting s.
    let put: RedisScript
    /// KEYS inbox; ARGV id.
    let remove: RedisScript
    /// ARGV ids; the record of each.
    let records: RedisScript
    /// KEYS inbox; ARGV id, message, received, size, body size, verified, most messages, most bytes, most bytes of all, head,
    /// body.
    let append: RedisScript
    /// KEYS inbox; ARGV edge, lease in ms, 'strict' or 'any', now, held messages.
    let next: RedisScript
    /// KEYS inbox; ARGV edge, lease in ms.
    let renew: RedisScript
    /// KEYS inbox; ARGV edge, id.
    let release: RedisScript
    /// KEYS inbox; ARGV message, state, attempts, due, status, error.
    let conclude: RedisScript
    /// KEYS inbox; ARGV state or '', before or '', limit.
    let page: RedisScript
    /// KEYS inbox; ARGV message.
    let message: RedisScript
    /// KEYS inbox; ARGV id, 'one' or 'all', message or state, change, now.
    let change: RedisScript
    /// ARGV ids; of each: waiting, delivered, dead, bytes, when the oldest that waits came.
    let figures: RedisScript
    /// KEYS inbox; ARGV now, most messages.
    let sweep: RedisScript
    /// ARGV most messages.
    let clear: RedisScript

    /// Makes the scripts for keys with a prefix, which has nothing in it that Lua would read.
    init(prefix: String) {
        func script(_ text: String) -> RedisScript { RedisScript(text.replacing("cv:", with: prefix)) }
        self.put = script(Self.putText)
        self.remove = script(Self.removeText)
        self.records = script(Self.recordsText)
        self.append = script(Self.dropText + Self.appendText)
        self.next = script(Self.nextText)
        self.renew = script(Self.renewText)
        self.release = script(Self.releaseText)
        self.conclude = script(Self.moveText + Self.concludeText)
        self.page = script(Self.fieldsText + Self.pageText)
        self.message = script(Self.messageText)
        self.change = script(Self.dropText + Self.moveText + Self.changeText)
        self.figures = script(Self.figuresText)
        self.sweep = script(Self.dropText + Self.moveText + Self.sweepText)
        self.clear = script(Self.dropText + Self.clearText)
    }

    // MARK: Inboxes

    private static let putText = """
        local n = redis.call('HGET', KEYS[1], 'n') or redis.call('HINCRBY', 'cv:ibc', 'n', 1)
        redis.call('HSET', KEYS[1], 'n', n, 'r', ARGV[2], 'd', ARGV[3], 'w', ARGV[4])
        redis.call('SADD', 'cv:ib', ARGV[1])
        redis.call('PUBLISH', 'cv:ibev', 'r ' .. ARGV[1])
        return 1
        """

    private static let removeText = """
        local n = redis.call('HGET', KEYS[1], 'n')
        if not n then return 0 end
        redis.call('ZADD', 'cv:ibg', 0, n)
        redis.call('DEL', KEYS[1])
        redis.call('SREM', 'cv:ib', ARGV[1])
        redis.call('PUBLISH', 'cv:ibev', 'r ' .. ARGV[1])
        return 1
        """

    private static let recordsText = """
        local records = {}
        for _, id in ipairs(ARGV) do
            local record = redis.call('HGET', 'cv:ibx:' .. id, 'r')
            if record then records[#records + 1] = {id, record} end
        end
        return records
        """

    // MARK: Messages

    /// Removes a message; `box` is its inbox' key, if the inbox is still there.
    private static let dropText = """
        local function drop(box, n, place)
            local key = 'cv:ibm:' .. n .. ':' .. place
            local known = redis.call('HMGET', key, 'i', 's', 'z')
            redis.call('DEL', key)
            if not known[1] then return end
            redis.call('ZREM', 'cv:ibs:' .. n .. ':' .. known[2], place)
            redis.call('ZREM', 'cv:ibd:' .. n, place)
            redis.call('HDEL', 'cv:ibi:' .. n, known[1])
            redis.call('HINCRBY', 'cv:ibc', 'b', -known[3])
            if box then
                redis.call('HINCRBY', box, 'm', -1)
                redis.call('HINCRBY', box, 'b', -known[3])
            end
        end

        """

    /// Gives a message a state, and the time when it is due.
    private static let moveText = """
        local function move(n, place, state, due)
            local key = 'cv:ibm:' .. n .. ':' .. place
            local old = redis.call('HGET', key, 's')
            if old ~= state then
                redis.call('ZREM', 'cv:ibs:' .. n .. ':' .. old, place)
                redis.call('ZADD', 'cv:ibs:' .. n .. ':' .. state, tonumber(place), place)
                redis.call('HSET', key, 's', state)
            end
            if state == '0' then redis.call('ZADD', 'cv:ibd:' .. n, due, place)
            else redis.call('ZREM', 'cv:ibd:' .. n, place) end
        end

        """

    /// Those who may hand over are told unless they know: an edge that hands over looks again, and one that found it doing
    /// so looks when its lease is over.
    private static let appendText = """
        local known = redis.call('HMGET', KEYS[1], 'n', 'm', 'b', 'u')
        local n = known[1]
        if not n then return 'none' end
        if redis.call('HGET', 'cv:ibi:' .. n, ARGV[2]) then return 'kept' end
        local size, most, mostBytes = tonumber(ARGV[4]), tonumber(ARGV[7]), tonumber(ARGV[8])
        local messages, bytes = tonumber(known[2] or 0), tonumber(known[3] or 0)
        local hadMessages, hadBytes = messages, bytes
        for _ = 1, math.min(512, 64 + math.floor(size / 4096)) do
            if messages < most and bytes + size <= mostBytes then break end
            local oldest = redis.call('ZRANGE', 'cv:ibs:' .. n .. ':1', 0, 0)[1]
            if not oldest then break end
            drop(KEYS[1], n, oldest)
            local left = redis.call('HMGET', KEYS[1], 'm', 'b')
            messages, bytes = tonumber(left[1]), tonumber(left[2])
        end
        local hasMadeRoom = messages < hadMessages and hadBytes - bytes >= size
        if (messages >= most or bytes + size > mostBytes) and not hasMadeRoom then return 'full' end
        if tonumber(redis.call('HGET', 'cv:ibc', 'b') or 0) + size > tonumber(ARGV[9]) then return 'full' end
        local place = string.format('%015d', redis.call('HINCRBY', KEYS[1], 'q', 1))
        redis.call('HSET', 'cv:ibm:' .. n .. ':' .. place, 'i', ARGV[2], 's', '0', 't', ARGV[3], 'z', size,
            'y', ARGV[5], 'v', ARGV[6], 'a', 0, 'h', ARGV[10], 'x', ARGV[11])
        local t = redis.call('TIME')
        local isServed = known[4] and tonumber(known[4]) > t[1] * 1000 + math.floor(t[2] / 1000)
        if not isServed or redis.call('ZCARD', 'cv:ibs:' .. n .. ':0') == 0 then
            redis.call('PUBLISH', 'cv:ibev', 'w ' .. ARGV[1])
        end
        redis.call('ZADD', 'cv:ibs:' .. n .. ':0', tonumber(place), place)
        redis.call('ZADD', 'cv:ibd:' .. n, ARGV[3], place)
        redis.call('HSET', 'cv:ibi:' .. n, ARGV[2], place)
        redis.call('HINCRBY', KEYS[1], 'm', 1)
        redis.call('HINCRBY', KEYS[1], 'b', size)
        redis.call('HINCRBY', 'cv:ibc', 'b', size)
        return 'kept'
        """

    private static let nextText = """
        local known = redis.call('HMGET', KEYS[1], 'n', 'l', 'u')
        local n = known[1]
        if not n then return {'none'} end
        local t = redis.call('TIME')
        local now = t[1] * 1000 + math.floor(t[2] / 1000)
        if known[2] and known[2] ~= ARGV[1] and tonumber(known[3]) > now then
            if redis.call('ZCARD', 'cv:ibs:' .. n .. ':0') == 0 then return {'none'} end
            return {'held', known[3] - now}
        end
        local held, count = {}, #ARGV - 4
        for i = 5, #ARGV do held[ARGV[i]] = true end
        local found
        local places = ARGV[3] == 'strict' and redis.call('ZRANGE', 'cv:ibs:' .. n .. ':0', 0, 0)
            or redis.call('ZRANGE', 'cv:ibd:' .. n, 0, count)
        for _, place in ipairs(places) do
            if not held[redis.call('HGET', 'cv:ibm:' .. n .. ':' .. place, 'i')] then
                found = place
                break
            end
        end
        local due = found and redis.call('ZSCORE', 'cv:ibd:' .. n, found)
        if not found or tonumber(due) > tonumber(ARGV[4]) then
            if count == 0 and known[2] == ARGV[1] then redis.call('HDEL', KEYS[1], 'l', 'u') end
            return found and {'later', due} or {'none'}
        end
        -- A Redis that is full lets those write who have taken something away.
        redis.call('HDEL', KEYS[1], 'l', 'u')
        redis.call('HSET', KEYS[1], 'l', ARGV[1], 'u', now + ARGV[2])
        return {'now', due, redis.call('HGETALL', 'cv:ibm:' .. n .. ':' .. found)}
        """

    private static let renewText = """
        if redis.call('HGET', KEYS[1], 'l') ~= ARGV[1] then return 0 end
        local t = redis.call('TIME')
        redis.call('HDEL', KEYS[1], 'u')
        redis.call('HSET', KEYS[1], 'u', t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[2])
        return 1
        """

    private static let releaseText = """
        if redis.call('HGET', KEYS[1], 'l') ~= ARGV[1] then return 0 end
        redis.call('HDEL', KEYS[1], 'l', 'u')
        redis.call('PUBLISH', 'cv:ibev', 'w ' .. ARGV[2])
        return 1
        """

    private static let concludeText = """
        local n = redis.call('HGET', KEYS[1], 'n')
        local place = n and redis.call('HGET', 'cv:ibi:' .. n, ARGV[1])
        if not place then return 0 end
        local key = 'cv:ibm:' .. n .. ':' .. place
        if redis.call('HGET', key, 's') ~= '0' then return 0 end
        redis.call('HDEL', key, 'c', 'e')
        move(n, place, ARGV[2], ARGV[4])
        redis.call('HSET', key, 'a', ARGV[3], 'c', ARGV[5], 'e', ARGV[6])
        return 1
        """

    // MARK: What people look at and change

    private static let fieldsText = """
        local function fields(n, place)
            local key = 'cv:ibm:' .. n .. ':' .. place
            local found = {}
            for i, name in ipairs({'i', 's', 't', 'y', 'v', 'a', 'c', 'e', 'h'}) do
                local value = redis.call('HGET', key, name)
                if value then found[#found + 1] = name; found[#found + 1] = value end
            end
            return {redis.call('ZSCORE', 'cv:ibd:' .. n, place) or '', found}
        end

        """

    private static let pageText = """
        local n = redis.call('HGET', KEYS[1], 'n')
        if not n then return {} end
        local last = '+inf'
        if ARGV[2] ~= '' then
            local before = redis.call('HGET', 'cv:ibi:' .. n, ARGV[2])
            if not before then return {} end
            last = '(' .. tonumber(before)
        end
        local places = {}
        for _, state in ipairs(ARGV[1] == '' and {'0', '1', '2'} or {ARGV[1]}) do
            for _, place in ipairs(redis.call('ZRANGE', 'cv:ibs:' .. n .. ':' .. state, last, '-inf', 'BYSCORE', 'REV',
                'LIMIT', 0, ARGV[3])) do
                places[#places + 1] = place
            end
        end
        table.sort(places, function(a, b) return a > b end)
        local page = {}
        for i = 1, math.min(#places, tonumber(ARGV[3])) do page[i] = fields(n, places[i]) end
        return page
        """

    private static let messageText = """
        local n = redis.call('HGET', KEYS[1], 'n')
        local place = n and redis.call('HGET', 'cv:ibi:' .. n, ARGV[1])
        if not place then return {} end
        return {redis.call('ZSCORE', 'cv:ibd:' .. n, place) or '', redis.call('HGETALL', 'cv:ibm:' .. n .. ':' .. place)}
        """

    private static let changeText = """
        local n = redis.call('HGET', KEYS[1], 'n')
        if not n then return 0 end
        local places
        if ARGV[2] == 'one' then places = {redis.call('HGET', 'cv:ibi:' .. n, ARGV[3]) or nil}
        else places = redis.call('ZRANGE', 'cv:ibs:' .. n .. ':' .. ARGV[3], 0, 999) end
        for _, place in ipairs(places) do
            local key = 'cv:ibm:' .. n .. ':' .. place
            if ARGV[4] == 'deliver' then
                move(n, place, '0', ARGV[5])
                redis.call('HSET', key, 'a', 0)
            elseif ARGV[4] == 'delete' then drop(KEYS[1], n, place)
            elseif redis.call('HGET', key, 's') == '0' then
                move(n, place, '2')
                redis.call('HSET', key, 'e', 'skipped')
            end
        end
        if #places > 0 then redis.call('PUBLISH', 'cv:ibev', 'w ' .. ARGV[1]) end
        return #places
        """

    private static let figuresText = """
        local figures = {}
        for _, id in ipairs(ARGV) do
            local known = redis.call('HMGET', 'cv:ibx:' .. id, 'n', 'b')
            local n = known[1]
            if n then
                local oldest = redis.call('ZRANGE', 'cv:ibs:' .. n .. ':0', 0, 0)[1]
                figures[#figures + 1] = {id, redis.call('ZCARD', 'cv:ibs:' .. n .. ':0'),
                    redis.call('ZCARD', 'cv:ibs:' .. n .. ':1'), redis.call('ZCARD', 'cv:ibs:' .. n .. ':2'), known[2] or 0,
                    oldest and redis.call('HGET', 'cv:ibm:' .. n .. ':' .. oldest, 't') or ''}
            end
        end
        return figures
        """

    // MARK: What goes with time

    /// By the order in which messages came, which is that of their times but for what edges' clocks differ.
    private static let sweepText = """
        local known = redis.call('HMGET', KEYS[1], 'n', 'd', 'w')
        local n = known[1]
        if not n then return {0, 0} end
        local function each(state, age, act)
            local count = 0
            for _, place in ipairs(redis.call('ZRANGE', 'cv:ibs:' .. n .. ':' .. state, 0, ARGV[2] - 1)) do
                local received = redis.call('HGET', 'cv:ibm:' .. n .. ':' .. place, 't')
                if tonumber(received) >= ARGV[1] - age then break end
                act(place)
                count = count + 1
            end
            return count
        end
        local deleted = each('1', known[2], function(place) drop(KEYS[1], n, place) end)
            + each('2', 2 * known[3], function(place) drop(KEYS[1], n, place) end)
        local expired = each('0', known[3], function(place)
            move(n, place, '2')
            redis.call('HSET', 'cv:ibm:' .. n .. ':' .. place, 'e', 'expired')
        end)
        return {expired, deleted}
        """

    private static let clearText = """
        local n = redis.call('ZRANGE', 'cv:ibg', 0, 0)[1]
        if not n then return -1 end
        local count = 0
        for _, state in ipairs({'0', '1', '2'}) do
            for _, place in ipairs(redis.call('ZRANGE', 'cv:ibs:' .. n .. ':' .. state, 0, ARGV[1] - 1)) do
                drop(nil, n, place)
                count = count + 1
            end
        end
        if count == 0 then redis.call('ZREM', 'cv:ibg', n) end
        return count
        """
}

#endif
