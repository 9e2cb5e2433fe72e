// SPDX-License-Identifier: Apache-2.0

import EdgeTunnels
import NIOSSL

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// For which hosts and in which time a certificate is valid: a server can show any, and its clients refuse it.
struct CertificateFitness: Equatable, Sendable {
    /// The DNS names of its subjectAltName.
    ///
    /// Browsers look at nothing else (RFC 9525 §2); curl and `culvert` take the common name of one that has none, as long as
    /// their libraries do.
    var names: [String]
    /// The addresses of its subjectAltName.
    var addresses: [String]
    var begin: Date
    var end: Date

    init(names: [String], addresses: [String] = [], begin: Date, end: Date) {
        self.names = names
        self.addresses = addresses
        self.begin = begin
        self.end = end
    }

    /// Reads a certificate.
    init(_ certificate: NIOSSLCertificate) {
        var (names, addresses): ([String], [String]) = ([], [])
        for name in certificate._subjectAlternativeNames() {
            switch name.nameType {
            case .dnsName: names.append(String(decoding: name.contents, as: UTF8.self))
            case .ipAddress: addresses.append(Self.text(of: Array(name.contents)))
            default: break
            }
        }
        self.init(
            names: names,
            addresses: addresses,
            begin: Date(timeIntervalSince1970: TimeInterval(certificate.notValidBefore)),
            end: Date(timeIntervalSince1970: TimeInterval(certificate.notValidAfter))
        )
    }

    /// Whether a client that asks for a host takes the certificate.
    ///
    /// `*` stands for one whole label, the first (RFC 6125 §6.4.3), and for none of an address. Nor does it count directly
    /// below a name of one label, as in `*.localhost`: for curl and OpenSSL that is like one for everybody below `.com`.
    func covers(_ host: String) -> Bool {
        let host = host.lowercased()
        if let address = IPAddress(host) { return self.addresses.contains { IPAddress($0) == address } }
        return self.names.contains { name in
            let name = name.lowercased()
            if name == host { return true }
            guard name.hasPrefix("*."), name.dropFirst(2).contains("."), let dot = host.firstIndex(of: ".") else {
                return false
            }
            return host[dot...] == name.dropFirst()
        }
    }

    /// What is wrong with it, in sentences.
    ///
    /// - Parameters:
    ///   - hosts: The hosts that it has to be for; one of all names below a domain begins with `*.`.
    ///   - now: The time.
    func faults(hosts: [String], now: Date) -> [String] {
        var faults: [String] = []
        if now < self.begin { faults.append("the certificate is not valid before \(self.begin.formatted(.iso8601))") }
        if now >= self.end {
            faults.append("the certificate has expired, on \(self.end.formatted(.iso8601)): renew it")
        }
        let missing = hosts.filter { host in
            host.hasPrefix("*.") ? !self.covers("any-tunnel." + host.dropFirst(2)) : !self.covers(host)
        }
        if !missing.isEmpty {
            let all = self.names + self.addresses
            let others =
                all.isEmpty
                ? "it names none in its subjectAltName: browsers refuse it there, whatever its common name is"
                : "it is for \(all.joined(separator: ", ")): visitors and connectors refuse it there"
            let tooShort = missing.contains { $0.hasPrefix("*.") && !$0.dropFirst(2).contains(".") }
            faults.append(
                tooShort
                    ? "clients take no * directly below a name of one label: choose a domain such as "
                        + "tunnel.localhost for the tunnels"
                    : "the certificate is not for \(missing.joined(separator: " and ")), and \(others)"
            )
        }
        return faults
    }

    private static func text(of bytes: [UInt8]) -> String {
        switch bytes.count {
        case 4: bytes.map { "\($0)" }.joined(separator: ".")
        case 16:
            stride(from: 0, to: 16, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
                .joined(separator: ":")
        default: ""
        }
    }
}

extension EdgeConfiguration {
    /// The hosts at which clients expect the listener's certificate to be theirs.
    ///
    /// A public URL of http leads to no TLS; and where none is given, nobody knows by which name the edge is reached.
    var certifiedHosts: [String] {
        let isTLS = self.publicURL?.lowercased().hasPrefix("https://") ?? true
        guard isTLS else { return [] }
        let hosts = [self.publicHost, self.apiHost, self.wildcardDomain.map { "*." + $0 }]
            .compactMap { $0?.lowercased() }
        return hosts.enumerated().filter { !hosts[..<$0.offset].contains($0.element) }.map(\.element)
    }
}
