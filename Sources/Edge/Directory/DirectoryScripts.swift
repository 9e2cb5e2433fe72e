// SPDX-License-Identifier: Apache-2.0
#if Redis

import Redis

/// The steps of the directory as Redis runs them: each is done whole or not at all, on one primary.
///
/// | key, after the prefix | type | content |
/// |---|---|---|
/// | `pods` | zset | pod, by its last beat in milliseconds of Redis' clock |
/// | `podinfo` | hash | pod: what it says of itself |
/// | `t:<id>` | hash | `o` owner, `c` created, `p` name and policy, `v` version; `s:<slot>` pod, one a session |
/// | `p:<pod>:t` | set | the tunnels that a pod has sessions of |
/// | `o:<owner>`, `ids` | zset | ids, all with the score 0 and so in their order |
/// | `idle` | zset | ids without a session, by when they may be forgotten |
/// | `n:<id>` | hash | whose a name stays: `o`, `v`, `p` |
/// | `cut:<id>` | hash | up to which issue time tokens end: when |
/// | `acut:<id>` | string | up to which issue time access tokens have ended |
/// | `ports` | hash | port: the tunnel that has it |
/// | `portof` | hash | id: its port, by which version of whose word |
/// | `otp:<key>` | string | the last step that was used |
/// | `rl:<bucket>` | hash | `n` tokens, `t` at what time |
///
/// Changes are told on the channel `ev`.
struct DirectoryScripts: Sendable {
    /// KEYS tunnel, lease, owner's, ids, idle, cut-offs, access; ARGV id, owner, created, record, version, most, idle expiry
    /// in ms.
    let create: RedisScript
    /// KEYS tunnel, lease, cut-offs, owner's, ids, idle, pod's, access; ARGV id, owner, created, record, version, issued at, now,
    /// idle expiry in ms, pod, slot ('' for none), most sessions.
    let join: RedisScript
    /// KEYS tunnel, idle, pod's; ARGV id, pod, slot, '1' if the pod has no other session of it, idle expiry in ms.
    let leave: RedisScript
    /// KEYS tunnel; ARGV id, owner, record, version.
    let change: RedisScript
    /// KEYS cut-offs; ARGV id, issued until, ends at, now, life in s.
    let cut: RedisScript
    /// KEYS access; ARGV id, issued until, life in s.
    let access: RedisScript
    /// KEYS tunnel, lease, cut-offs, ids, idle, access; ARGV id, owner, issued until, ends at, now, life of cut-offs in s.
    let remove: RedisScript
    /// KEYS idle, ids; ARGV most, name lease in ms, idle expiry in ms; a tunnel with an inbox is not forgotten.
    let forget: RedisScript
    /// KEYS pods, info; ARGV pod, info, lease in ms.
    let beat: RedisScript
    /// KEYS pod's, idle, pods, info; ARGV pod, most, idle expiry in ms, lease in ms, '1' if the pod itself asks.
    let reap: RedisScript
    /// KEYS last; ARGV step.
    let code: RedisScript
    /// KEYS bucket; ARGV burst, a second, wanted.
    let take: RedisScript
    /// KEYS bucket; ARGV burst, a second, used.
    let spend: RedisScript
    /// KEYS owner's or all ids; ARGV from, most.
    let list: RedisScript

    /// Makes the scripts for keys with a prefix, which has nothing in it that Lua would read.
    init(prefix: String) {
        func script(_ text: String) -> RedisScript { RedisScript(text.replacing("cv:", with: prefix)) }
        self.create = script(Self.createText)
        self.join = script(Self.joinText)
        self.leave = script(Self.leaveText)
        self.change = script(Self.changeText)
        self.cut = script(Self.cutText + Self.tellCutText)
        self.access = script(Self.accessText + Self.tellAccessText)
        self.remove = script(Self.cutText + Self.accessText + Self.removeText)
        self.forget = script(Self.forgetText)
        self.beat = script(Self.beatText)
        self.reap = script(Self.reapText)
        self.code = script(Self.codeText)
        self.take = script(Self.bucketText + Self.takeText)
        self.spend = script(Self.bucketText + Self.spendText)
        self.list = script(Self.listText)
    }

    private static let createText = """
        local owner = redis.call('HGET', KEYS[1], 'o')
        if owner then return owner == ARGV[2] and 'own' or 'taken' end
        local lease = redis.call('HGET', KEYS[2], 'o')
        if lease and lease ~= ARGV[2] then return 'taken' end
        if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[6]) then return 'limit' end
        local cuts = redis.call('HGETALL', KEYS[6])
        for i = 1, #cuts, 2 do
            if tonumber(ARGV[5]) <= tonumber(cuts[i]) then return {'ended', cuts, redis.call('GET', KEYS[7])} end
        end
        local t = redis.call('TIME')
        redis.call('HSET', KEYS[1], 'o', ARGV[2], 'c', ARGV[3], 'p', ARGV[4], 'v', ARGV[5])
        redis.call('ZADD', KEYS[3], 0, ARGV[1])
        redis.call('ZADD', KEYS[4], 0, ARGV[1])
        redis.call('ZADD', KEYS[5], t[1] * 1000 + ARGV[7], ARGV[1])
        redis.call('DEL', KEYS[2])
        return 'created'
        """

    /// Adds a cut-off, and drops those that say nothing more beside it, as ``TokenCutoffs`` does.
    private static let cutText = """
        local function cut(key, untilTime, endAt, now, life)
            local all = redis.call('HGETALL', key)
            local kept, ended = {}, nil
            for i = 1, #all, 2 do
                if tonumber(all[i]) <= tonumber(untilTime) and tonumber(all[i + 1]) >= tonumber(endAt) then
                    redis.call('HDEL', key, all[i])
                elseif tonumber(all[i + 1]) <= tonumber(now) then
                    if ended and tonumber(all[i]) <= tonumber(ended) then redis.call('HDEL', key, all[i])
                    else
                        if ended then redis.call('HDEL', key, ended) end
                        ended = all[i]
                    end
                else kept[#kept + 1] = all[i] end
            end
            table.sort(kept, function(a, b) return tonumber(a) < tonumber(b) end)
            for i = 1, #kept - 7 do redis.call('HDEL', key, kept[i]) end
            redis.call('HSET', key, untilTime, endAt)
            redis.call('EXPIRE', key, life)
        end

        """

    /// Nobody is told anew of what is known already: after Redis was emptied every edge tells what it has heard.
    private static let tellCutText = """
        if redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then return 0 end
        cut(KEYS[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
        redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'cut', id = ARGV[1], u = ARGV[2], e = ARGV[3]}))
        return 1
        """

    private static let accessText = """
        local function endAccess(key, untilTime, life)
            local known = redis.call('GET', key)
            if known and tonumber(known) >= tonumber(untilTime) then return false end
            redis.call('SET', key, untilTime, 'EX', life)
            return true
        end

        """

    private static let tellAccessText = """
        if not endAccess(KEYS[1], ARGV[2], ARGV[3]) then return 0 end
        redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'access', id = ARGV[1], u = ARGV[2]}))
        return 1
        """

    private static let joinText = """
        local function outranks(version, owner, otherVersion, other)
            local a, b = tonumber(version), tonumber(otherVersion)
            return a > b or a == b and owner > other
        end
        local cuts = redis.call('HGETALL', KEYS[3])
        for i = 1, #cuts, 2 do
            if tonumber(ARGV[6]) <= tonumber(cuts[i]) and tonumber(cuts[i + 1]) <= tonumber(ARGV[7]) then
                return {'ended', cuts, redis.call('GET', KEYS[8])}
            end
        end
        local known = redis.call('HMGET', KEYS[1], 'o', 'v')
        if known[1] and known[1] ~= ARGV[2] then
            if not outranks(ARGV[5], ARGV[2], known[2], known[1]) then return {'taken'} end
            redis.call('DEL', KEYS[1])
            redis.call('ZREM', 'cv:o:' .. known[1], ARGV[1])
            redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'owner', id = ARGV[1], o = ARGV[2], v = ARGV[5]}))
            known = {}
        end
        local record, version = ARGV[4], ARGV[5]
        if not known[1] then
            local lease = redis.call('HMGET', KEYS[2], 'o', 'v', 'p')
            if lease[1] and not outranks(version, ARGV[2], lease[2], lease[1]) then
                if lease[1] ~= ARGV[2] then return {'taken'} end
                record, version = lease[3], lease[2]
            end
            redis.call('HSET', KEYS[1], 'o', ARGV[2], 'c', ARGV[3], 'p', record, 'v', version)
            redis.call('ZADD', KEYS[4], 0, ARGV[1])
            redis.call('ZADD', KEYS[5], 0, ARGV[1])
            redis.call('DEL', KEYS[2])
        elseif tonumber(version) > tonumber(known[2]) then
            redis.call('HSET', KEYS[1], 'p', record, 'v', version)
        end
        if ARGV[10] ~= '' then
            local slot = 's:' .. ARGV[10]
            if not redis.call('HGET', KEYS[1], slot) and redis.call('HLEN', KEYS[1]) - 4 >= tonumber(ARGV[11]) then
                return {'full'}
            end
            redis.call('HSET', KEYS[1], slot, ARGV[9])
            redis.call('ZREM', KEYS[6], ARGV[1])
            redis.call('SADD', KEYS[7], ARGV[1])
        elseif redis.call('HLEN', KEYS[1]) <= 4 then
            local t = redis.call('TIME')
            redis.call('ZADD', KEYS[6], t[1] * 1000 + ARGV[8], ARGV[1])
        end
        return {'joined', redis.call('HGETALL', KEYS[1]), cuts, redis.call('GET', KEYS[8])}
        """

    private static let leaveText = """
        local slot = 's:' .. ARGV[3]
        if redis.call('HGET', KEYS[1], slot) == ARGV[2] then redis.call('HDEL', KEYS[1], slot) end
        if ARGV[4] == '1' then redis.call('SREM', KEYS[3], ARGV[1]) end
        if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HLEN', KEYS[1]) <= 4
            and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then
            local t = redis.call('TIME')
            redis.call('ZADD', KEYS[2], t[1] * 1000 + ARGV[5], ARGV[1])
        end
        return 1
        """

    private static let changeText = """
        local known = redis.call('HMGET', KEYS[1], 'o', 'v')
        if known[1] ~= ARGV[2] then return false end
        local version = ARGV[4]
        if tonumber(version) <= tonumber(known[2]) then version = string.format('%.6f', known[2] + 0.000001) end
        redis.call('HSET', KEYS[1], 'p', ARGV[3], 'v', version)
        redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'policy', id = ARGV[1], v = version}))
        return version
        """

    /// The cut-off reaches to what is removed: the clock of the edge that made it may be ahead.
    private static let removeText = """
        local known = redis.call('HMGET', KEYS[1], 'o', 'v')
        local owner, untilTime = known[1], ARGV[3]
        if owner and owner ~= ARGV[2] then return 0 end
        if owner and tonumber(known[2]) > tonumber(untilTime) then untilTime = known[2] end
        cut(KEYS[3], untilTime, ARGV[4], ARGV[5], ARGV[6])
        endAccess(KEYS[6], untilTime, ARGV[6])
        redis.call('DEL', KEYS[1], KEYS[2])
        redis.call('HDEL', 'cv:portof', ARGV[1])
        redis.call('ZREM', 'cv:o:' .. ARGV[2], ARGV[1])
        redis.call('ZREM', KEYS[4], ARGV[1])
        redis.call('ZREM', KEYS[5], ARGV[1])
        redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'end', id = ARGV[1], u = untilTime}))
        return owner and 1 or 0
        """

    private static let forgetText = """
        local t = redis.call('TIME')
        local now = t[1] * 1000 + math.floor(t[2] / 1000)
        local forgotten = {}
        for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
            local key = 'cv:t:' .. id
            redis.call('ZREM', KEYS[1], id)
            local known = redis.call('HMGET', key, 'o', 'v', 'p')
            if redis.call('SISMEMBER', 'cv:ib', id) == 1 then redis.call('ZADD', KEYS[1], now + ARGV[3], id)
            elseif known[1] and redis.call('HLEN', key) <= 4 then
                redis.call('DEL', key)
                redis.call('ZREM', 'cv:o:' .. known[1], id)
                redis.call('ZREM', KEYS[2], id)
                if tonumber(ARGV[2]) > 0 and cjson.decode(known[3]).lease then
                    redis.call('HSET', 'cv:n:' .. id, 'o', known[1], 'v', known[2], 'p', known[3])
                    redis.call('PEXPIRE', 'cv:n:' .. id, ARGV[2])
                end
                redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'idle', id = id}))
                forgotten[#forgotten + 1] = id
            end
        end
        return forgotten
        """

    private static let beatText = """
        local t = redis.call('TIME')
        local now = t[1] * 1000 + math.floor(t[2] / 1000)
        local since = now - tonumber(ARGV[3])
        local last = redis.call('ZSCORE', KEYS[1], ARGV[1])
        redis.call('ZADD', KEYS[1], now, ARGV[1])
        redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
        local isNew = not last or tonumber(last) <= since
        if isNew then redis.call('PUBLISH', 'cv:ev', cjson.encode({k = 'pod', id = ARGV[1], i = ARGV[2]})) end
        local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. since, '+inf')
        local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', since)
        return {isNew and 0 or 1, live, redis.call('HMGET', KEYS[2], unpack(live)), dead}
        """

    private static let reapText = """
        local t = redis.call('TIME')
        local now = t[1] * 1000 + math.floor(t[2] / 1000)
        local last = redis.call('ZSCORE', KEYS[3], ARGV[1])
        if ARGV[5] ~= '1' and last and tonumber(last) > now - tonumber(ARGV[4]) then return -1 end
        local ids = redis.call('SPOP', KEYS[1], ARGV[2])
        for _, id in ipairs(ids) do
            local key = 'cv:t:' .. id
            local all, left = redis.call('HGETALL', key), 0
            for i = 1, #all, 2 do
                if string.sub(all[i], 1, 2) == 's:' then
                    if all[i + 1] == ARGV[1] then redis.call('HDEL', key, all[i]) else left = left + 1 end
                end
            end
            if #all > 0 and left == 0 then redis.call('ZADD', KEYS[2], now + ARGV[3], id) end
        end
        if #ids == 0 then
            redis.call('ZREM', KEYS[3], ARGV[1])
            redis.call('HDEL', KEYS[4], ARGV[1])
        end
        return #ids
        """

    private static let codeText = """
        local last = redis.call('GET', KEYS[1])
        if last and tonumber(ARGV[1]) <= tonumber(last) then return 0 end
        redis.call('SET', KEYS[1], ARGV[1], 'PX', 180000)
        return 1
        """

    private static let bucketText = """
        local t = redis.call('TIME')
        local now = t[1] + t[2] / 1e6
        local b = redis.call('HMGET', KEYS[1], 'n', 't')
        local burst, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
        local n = math.min(burst, (tonumber(b[1]) or burst) + math.max(0, now - (tonumber(b[2]) or now)) * rate)
        local function keep(left)
            redis.call('HSET', KEYS[1], 'n', tostring(left), 't', string.format('%.6f', now))
            redis.call('PEXPIRE', KEYS[1], math.ceil((burst - math.min(0, left)) / rate * 1000) + 1000)
        end

        """

    private static let takeText = """
        local got = math.min(tonumber(ARGV[3]), math.max(0, math.floor(n)))
        local left = math.min(burst, n - got)
        keep(left)
        return {got, tostring(left)}
        """

    private static let spendText = """
        local left = math.max(-burst, n - tonumber(ARGV[3]))
        keep(left)
        return tostring(left)
        """

    private static let listText = """
        local found = {}
        for _, id in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do
            found[#found + 1] = {id, redis.call('HGETALL', 'cv:t:' .. id)}
        end
        return found
        """
}

#endif
