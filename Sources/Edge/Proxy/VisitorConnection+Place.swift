// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels

extension VisitorConnection: VisitorPlaceHolder {
    package func giveWay(_ ticket: VisitorTicket) {
        self.responder?.gaveWay(ticket)
        self.settle()
    }
}
