// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Yams

extension TunnelsFileReader {
    /// Reads one tunnel; nothing if it has no usable target.
    mutating func tunnel(_ node: Node, connections: Int) -> TunnelsFile.Entry? {
        guard let mapping = node.mapping else {
            self.report(node, "A tunnel has to have settings, “target” at least.")
            return nil
        }
        var target: OriginTarget?
        var kind = mapping["kind"].flatMap { self.kind($0) } ?? .http
        var entry = TunnelsFile.Entry(target: OriginTarget(endpoint: .tcp(host: "localhost", port: 1), usesTLS: false))
        for (key, value) in mapping {
            switch key.string {
            case "target", "kind": break
            case "port": entry.port = self.port(value, of: kind)
            case "public": entry.isPrivate = self.onOrOff(value, "public") == false
            case "name": entry.name = self.name(value)
            case "pool": entry.pools = self.onOrOff(value, "pool") == true
            case "token-file": entry.tokenFile = self.path(value, "token-file")
            case "host-header": entry.policy.host = self.host(value, "host-header") ?? entry.policy.host
            case "policy": break
            case "origin-tls-verify":
                entry.originTrust.verifies = self.onOrOff(value, "origin-tls-verify") ?? true
            case "inspect": entry.isInspected = self.onOrOff(value, "inspect") ?? true
            case "inbox": entry.inbox = self.inbox(value)
            case "origin-ca-file": entry.originTrust.authorities = self.authorities(value)
            default: self.reportUnknown(key, in: .tunnel)
            }
        }
        if let policy = mapping["policy"] {
            let host = mapping["host-header"] == nil ? nil : entry.policy.host
            entry.policy = self.policy(policy, host: host, connections: connections)
            if let member = self.policySchema.stranger(in: entry.policy, for: kind) {
                self.report(policy, "“\(member.fileName)” has no meaning for a tunnel of kind \(kind): leave it out.")
            }
        }
        if kind != .http, let host = mapping["host-header"] {
            self.report(host, "“host-header” has no meaning for a tunnel of kind \(kind): leave it out.")
        }
        if entry.pools, entry.name == nil, entry.tokenFile == nil {
            self.report(mapping["pool"], "“pool” is for a tunnel with a name: add “name”.")
        }
        if mapping["target"] == nil {
            self.report(node, "“target” is missing: a port, host:port, http://…, https://…, unix:/path or ./folder.")
        }
        if let inbox = mapping["inbox"] {
            self.check(inbox, of: entry, kind)
        }
        if let tokenFile = entry.tokenFile, let tokenNode = mapping["token-file"] {
            for setting in ["name", "kind", "port", "public", "pool", "host-header", "policy", "inbox"]
            where mapping[setting] != nil {
                self.report(
                    mapping[setting],
                    "With “token-file” the tunnel is what its token says: leave “\(setting)” out."
                )
            }
            entry.token = self.reading(tokenNode) { () throws(CommandFailure) in
                try TunnelToken.read(file: tokenFile, argument: nil, environment: [:])
            }
            kind = entry.token?.kind ?? kind
        }
        if let value = mapping["target"] { target = self.target(value, of: kind) }
        guard let target else { return nil }
        if !target.usesTLS {
            for setting in ["origin-tls-verify", "origin-ca-file"] where mapping[setting] != nil {
                self.report(
                    mapping[setting],
                    "“\(setting)” is for https:// targets, and “\(target)” is none: leave it out or correct the target."
                )
            }
        } else if !entry.originTrust.verifies, mapping["origin-ca-file"] != nil {
            self.report(
                mapping["origin-ca-file"],
                "“origin-ca-file” has no meaning with “origin-tls-verify: off”: leave one out."
            )
        }
        entry.target = target
        return entry
    }

    /// Reports an inbox of a tunnel that can have none.
    private mutating func check(_ inbox: Node, of entry: TunnelsFile.Entry, _ kind: TunnelKind) {
        if kind != .http || entry.isPrivate {
            self.report(inbox, "“inbox” is for public tunnels of kind http: leave it out.")
        } else if entry.name == nil, entry.tokenFile == nil {
            self.report(inbox, "“inbox” needs “name”: an inbox outlives the program, and keeps its tunnel's name.")
        }
    }

    private mutating func kind(_ node: Node) -> TunnelKind? {
        let kind = node.scalar.flatMap { TunnelKind(rawValue: $0.string) }
        if kind == nil {
            let kinds = TunnelKind.allCases.map(\.rawValue).joined(separator: " or ")
            self.report(node, "“kind” has to be \(kinds).")
        }
        return kind
    }

    private mutating func port(_ node: Node, of kind: TunnelKind) -> UInt16? {
        guard kind == .tcp else {
            self.report(
                node,
                "“port” is for tunnels of kind tcp: leave it out, or add “kind: tcp”. The local server's is “target: 3000”."
            )
            return nil
        }
        return self.number(node, "port", in: 1...65_535).flatMap { UInt16(exactly: $0) }
    }

    private mutating func target(_ node: Node, of kind: TunnelKind) -> OriginTarget? {
        guard let text = self.text(node, "target") else { return nil }
        if kind == .http, FolderServer.isFolder(text) { return self.sharedFolder(node, text) }
        do {
            return try OriginTarget(parsing: text, for: kind)
        } catch {
            let isFolder = kind == .http && FolderServer.fault(of: self.placed(text)) == nil
            self.report(node, isFolder ? "The folder “\(text)” is written ./\(text)." : error.description)
            return nil
        }
    }

    /// Reads a folder, whose path starts at the folder of the file as that of other files does.
    private mutating func sharedFolder(_ node: Node, _ text: String) -> OriginTarget? {
        let path = self.placed(text)
        if let fault = FolderServer.fault(of: path) {
            self.report(node, fault)
            return nil
        }
        return .folder(path)
    }

    private mutating func name(_ node: Node) -> String? {
        guard let text = self.text(node, "name") else { return nil }
        guard TunnelToken.isTunnelID(text) else {
            self.report(node, "“\(PeerText.printable(text))” is not a name: it takes 3 to 63 of a-z, 0-9 and -.")
            return nil
        }
        return text
    }

    private mutating func authorities(_ node: Node) -> CertificateAuthorities? {
        guard let path = self.path(node, "origin-ca-file") else { return nil }
        return self.reading(node) { () throws(CommandFailure) in try CertificateAuthorities(reading: path) }
    }
}
