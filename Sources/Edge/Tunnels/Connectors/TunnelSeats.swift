// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// The tunnels that one session serves: which there are, which one a connector's latest word is about, and whether the
/// session is of any use.
///
/// A value without channels or clocks; ``SessionAdmission`` owns one. Every step takes the same time, however many
/// tunnels share the session: seats are found by their number and by their tunnel.
struct TunnelSeats<Number: Hashable & Comparable, TunnelKey: Hashable, Seat> {
    /// How long a shared session may be without a tunnel.
    static var longestEmpty: TimeAmount { .seconds(10) }

    private var entries: [Number: (tunnel: TunnelKey, seat: Seat)] = [:]
    /// The seats of each tunnel, the oldest first; nearly always one.
    private var numbers: [TunnelKey: [Number]] = [:]
    /// How many seats were asked for and are not decided on.
    private var undecided = 0
    private var emptySince: NIODeadline?

    init() {}

    /// How many tunnels are served, those included that are about to be replaced.
    var count: Int { self.entries.count }

    /// Every seat, in no order.
    var all: some Sequence<Seat> { self.entries.values.lazy.map(\.seat) }

    /// The seat of that number, while it is there.
    subscript(number: Number) -> Seat? { self.entries[number]?.seat }

    /// The seats of a tunnel, the oldest first.
    func seats(of tunnel: TunnelKey) -> [Seat] {
        (self.numbers[tunnel] ?? []).compactMap { self.entries[$0]?.seat }
    }

    // MARK: Coming

    /// A seat was asked for; ``decided()`` has to follow.
    mutating func asked() {
        self.undecided += 1
    }

    /// It was decided on a seat that had been asked for.
    mutating func decided() {
        self.undecided -= 1
    }

    /// Whether a later seat of the tunnel has been taken: decisions take their time, and not all the same, and an older
    /// word must not outdo a newer one.
    func isOutdone(_ number: Number, of tunnel: TunnelKey) -> Bool {
        self.numbers[tunnel]?.last.map { $0 > number } ?? false
    }

    /// Takes a seat for a tunnel; its number has to be later than those that the tunnel has.
    mutating func add(_ seat: Seat, number: Number, of tunnel: TunnelKey) {
        self.entries[number] = (tunnel, seat)
        self.numbers[tunnel, default: []].append(number)
    }

    // MARK: Going

    /// Gives a seat up; `nil` if it was given up before.
    mutating func remove(_ number: Number) -> Seat? {
        guard let (tunnel, seat) = self.entries.removeValue(forKey: number) else { return nil }
        if self.numbers[tunnel]?.count == 1 {
            self.numbers[tunnel] = nil
        } else {
            self.numbers[tunnel]?.removeAll { $0 == number }
        }
        return seat
    }

    /// The seats of a tunnel that are older than one of them.
    func earlier(than number: Number, of tunnel: TunnelKey) -> [Seat] {
        (self.numbers[tunnel] ?? []).prefix { $0 < number }.compactMap { self.entries[$0]?.seat }
    }

    /// Whether the session has been without a tunnel for so long that it may end; to be asked now and then.
    mutating func isAbandoned(now: NIODeadline) -> Bool {
        guard self.entries.isEmpty, self.undecided == 0 else {
            self.emptySince = nil
            return false
        }
        let since = self.emptySince ?? now
        self.emptySince = since
        return now - since >= Self.longestEmpty
    }
}
