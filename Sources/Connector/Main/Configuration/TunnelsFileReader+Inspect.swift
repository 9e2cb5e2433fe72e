// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Inspection
import Yams

extension TunnelsFileReader {
    /// Reads `inspect`: on, off or an address, or settings.
    mutating func inspect(_ node: Node) -> InspectSettings {
        var settings = InspectSettings()
        guard let mapping = node.mapping else {
            settings.choice = self.inspectChoice(node, "inspect")
            return settings
        }
        for (key, value) in mapping {
            switch key.string {
            case "listen": settings.choice = self.inspectChoice(value, "listen")
            case "memory":
                settings.memory = self.size(value, "memory", in: InspectSettings.memoryRange, "from 64KiB to 64GiB")
            case "body":
                settings.body = self.size(value, "body", in: 0...InspectSettings.memoryRange.upperBound, "up to 64GiB")
            case "token": settings.requiresToken = self.onOrOff(value, "token")
            case "allow-hosts":
                for host in self.list(value, "allow-hosts", atMost: InspectSettings.longestList) {
                    if let text = self.text(host, "allow-hosts") { settings.allowedHosts.append(text) }
                }
            case "drop":
                for name in self.list(value, "drop", atMost: InspectSettings.longestList) {
                    if let text = self.fieldName(name) { settings.dropped.formUnion(DroppedFields([text])) }
                }
            case "signatures":
                for entry in self.list(value, "signatures", atMost: InspectSettings.longestList) {
                    if let secret = self.signingSecret(entry) { settings.signingSecrets.append(secret) }
                }
            default: self.reportUnknown(key, in: .inspect)
            }
        }
        return settings
    }

    private mutating func inspectChoice(_ node: Node, _ name: String) -> InspectChoice? {
        switch node.scalar?.string {
        case "true": return .on
        case "false": return .off
        case let text:
            if let choice = text.flatMap(InspectChoice.init(argument:)) { return choice }
            self.report(node, "“\(name)” has to be on, off, or an address to listen on, as 127.0.0.1:4040.")
            return nil
        }
    }

    private mutating func fieldName(_ node: Node) -> String? {
        guard let text = node.scalar?.string, InspectSettings.isDroppable(text) else {
            self.report(node, "“drop” has to be a list of names of fields, as Authorization, without Host.")
            return nil
        }
        return text
    }

    private mutating func size(_ node: Node, _ name: String, in range: ClosedRange<Int>, _ bounds: String) -> ByteSize?
    {
        guard let size = node.scalar.flatMap({ ByteSize(argument: $0.string) }), range.contains(size.bytes) else {
            self.report(node, "“\(name)” has to be a size \(bounds), as 50MiB.")
            return nil
        }
        return size
    }

    private mutating func signingSecret(_ node: Node) -> SigningSecret? {
        guard let mapping = node.mapping, let schemeNode = mapping["scheme"], let fileNode = mapping["secret-file"]
        else {
            self.report(node, "A signature has to have “scheme” and “secret-file”.")
            return nil
        }
        let known = SettingHome.signature.settings(self.policySchema)
        for (key, _) in mapping where !known.contains(key.string ?? "") {
            self.reportUnknown(key, in: .signature)
        }
        guard let scheme = schemeNode.string.flatMap(SignatureScheme.init) else {
            self.report(schemeNode, "“scheme” has to be one of \(SignatureScheme.names).")
            return nil
        }
        guard let path = self.path(fileNode, "secret-file") else { return nil }
        let text = self.reading(fileNode) { () throws(CommandFailure) in
            try SecretFile.read(path, what: "a secret for signatures")
        }
        guard let text else { return nil }
        let tunnel = mapping["tunnel"].flatMap { self.text($0, "tunnel") }
        guard let secret = SigningSecret(scheme, secret: text, tunnel: tunnel) else {
            self.report(fileNode, SigningSecret.refusal(of: scheme))
            return nil
        }
        return secret
    }
}
