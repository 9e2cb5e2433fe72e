// SPDX-License-Identifier: Apache-2.0
#if Redis

import Redis

/// The steps of the directory that are about ports of tunnels of TCP.
///
/// What is noted of a port whose tunnel is no more is replaced when another one asks for the port, so that there are at most
/// as many entries as ports.
struct PortScripts: Sendable {
    /// KEYS ports, ports of tunnels; ARGV id, owner.
    let find: RedisScript
    /// KEYS ports, ports of tunnels; ARGV id, owner, version, port, '1' if a token says that the port is the tunnel's.
    let claim: RedisScript
    /// KEYS ports, ports of tunnels.
    let online: RedisScript

    /// Makes the scripts for keys with a prefix, which has nothing in it that Lua would read.
    init(prefix: String) {
        func script(_ text: String) -> RedisScript { RedisScript(text.replacing("cv:", with: prefix)) }
        self.find = script(Self.wordText + Self.findText)
        self.claim = script(Self.wordText + Self.claimText)
        self.online = script(Self.wordText + Self.onlineText)
    }

    /// What is noted of the port of a tunnel: the port, the version, the owner.
    private static let wordText = """
        local function word(id)
            return string.match(redis.call('HGET', KEYS[2], id) or '', '^(%d+) (%S+) (.*)$')
        end

        """

    private static let findText = """
        local port, _, owner = word(ARGV[1])
        if port and owner == ARGV[2] and redis.call('HGET', KEYS[1], port) == ARGV[1] then return tonumber(port) end
        return 0
        """

    private static let claimText = """
        local holder = redis.call('HGET', KEYS[1], ARGV[4])
        if holder and holder ~= ARGV[1] then
            local port, version, owner = word(holder)
            if port == ARGV[4] then
                local known = redis.call('HGET', 'cv:t:' .. holder, 'o') or redis.call('HGET', 'cv:n:' .. holder, 'o')
                local isOutranked = ARGV[5] == '1' and tonumber(ARGV[3]) > tonumber(version)
                if known == owner and not isOutranked then return 0 end
                redis.call('HDEL', KEYS[2], holder)
            end
        end
        local own = word(ARGV[1])
        if own and own ~= ARGV[4] and redis.call('HGET', KEYS[1], own) == ARGV[1] then
            redis.call('HDEL', KEYS[1], own)
        end
        redis.call('HSET', KEYS[1], ARGV[4], ARGV[1])
        redis.call('HSET', KEYS[2], ARGV[1], ARGV[4] .. ' ' .. ARGV[3] .. ' ' .. ARGV[2])
        return 1
        """

    private static let onlineText = """
        local all, found = redis.call('HGETALL', KEYS[1]), {}
        for i = 1, #all, 2 do
            if redis.call('HLEN', 'cv:t:' .. all[i + 1]) > 4 and word(all[i + 1]) == all[i] then
                found[#found + 1] = all[i]
                found[#found + 1] = all[i + 1]
            end
        end
        return found
        """
}

#endif
