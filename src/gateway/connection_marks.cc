#include "gateway/connection_marks.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>

extern "C" {
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
}

namespace weir::gateway {
namespace {

constexpr std::size_t kMessage = 1'024;
constexpr std::size_t kAnswerBytes = 8'192;
constexpr timeval kAnswer{.tv_sec = 1, .tv_usec = 0};

void put_flow(nf_conntrack* flow, const Endpoints& e) {
  nfct_set_attr_u8(flow, ATTR_L4PROTO, IPPROTO_TCP);
  nfct_set_attr_u16(flow, ATTR_PORT_SRC, htons(e.src_port));
  nfct_set_attr_u16(flow, ATTR_PORT_DST, htons(e.dst_port));
  const bool v4 = e.src.is_v4();
  nfct_set_attr_u8(flow, ATTR_L3PROTO, v4 ? AF_INET : AF_INET6);
  nfct_set_attr(flow, v4 ? ATTR_IPV4_SRC : ATTR_IPV6_SRC, e.src.wire().data());
  nfct_set_attr(flow, v4 ? ATTR_IPV4_DST : ATTR_IPV6_DST, e.dst.wire().data());
}

/// Where an entry has the addresses of one direction.
struct Direction {
  nf_conntrack_attr v4_src, v4_dst, v6_src, v6_dst, port_src, port_dst;
};
constexpr Direction kOriginal{ATTR_ORIG_IPV4_SRC, ATTR_ORIG_IPV4_DST, ATTR_ORIG_IPV6_SRC, ATTR_ORIG_IPV6_DST, ATTR_ORIG_PORT_SRC, ATTR_ORIG_PORT_DST};
constexpr Direction kReply{ATTR_REPL_IPV4_SRC, ATTR_REPL_IPV4_DST, ATTR_REPL_IPV6_SRC, ATTR_REPL_IPV6_DST, ATTR_REPL_PORT_SRC, ATTR_REPL_PORT_DST};

IpAddress address_of(const nf_conntrack* entry, nf_conntrack_attr v4, nf_conntrack_attr v6) {
  if (nfct_attr_is_set(entry, v4) > 0) return IpAddress::v4(std::span<const std::byte, 4>(static_cast<const std::byte*>(nfct_get_attr(entry, v4)), 4));
  if (nfct_attr_is_set(entry, v6) > 0) return IpAddress::v6(std::span<const std::byte, 16>(static_cast<const std::byte*>(nfct_get_attr(entry, v6)), 16));
  return {};
}

Endpoints flow_of(const nf_conntrack* entry, const Direction& d) {
  return {.src = address_of(entry, d.v4_src, d.v6_src),
          .dst = address_of(entry, d.v4_dst, d.v6_dst),
          .src_port = ntohs(nfct_get_attr_u16(entry, d.port_src)),
          .dst_port = ntohs(nfct_get_attr_u16(entry, d.port_dst))};
}

/// nullptr: it could not be written.
nlmsghdr* put_request(std::span<char, kMessage> message, std::uint16_t what, const Endpoints& flow) {
  nlmsghdr* const head = mnl_nlmsg_put_header(message.data());
  head->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8U | what);
  head->nlmsg_flags = NLM_F_REQUEST;
  auto* const more = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(head, sizeof(nfgenmsg)));
  more->nfgen_family = flow.src.is_v4() ? AF_INET : AF_INET6;
  more->version = NFNETLINK_V0;
  nf_conntrack* const entry = nfct_new();
  if (entry == nullptr) return nullptr;
  put_flow(entry, flow);
  const bool built = nfct_nlmsg_build(head, entry) == 0;
  nfct_destroy(entry);
  return built ? head : nullptr;
}

}  // namespace

ConnectionMarks::ConnectionMarks(std::uint32_t mask) : mask_(mask), socket_(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC)) {
  if (socket_ == nullptr) return;
  ::setsockopt(mnl_socket_get_fd(socket_), SOL_SOCKET, SO_RCVTIMEO, &kAnswer, sizeof kAnswer);
  if (mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) >= 0) return;
  mnl_socket_close(socket_);
  socket_ = nullptr;
}

ConnectionMarks::~ConnectionMarks() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

bool ConnectionMarks::set(const Endpoints& flow, std::uint32_t value) {
  // Where one address is translated, the other direction's are as they are seen here.
  const bool done = socket_ != nullptr && (update(flow, value) || update({flow.dst, flow.src, flow.dst_port, flow.src_port}, value));
  ++(done ? set_ : failed_);
  return done;
}

bool ConnectionMarks::set_opening(const Endpoints& flow, std::uint32_t value) {
  if (is_opening(flow)) return set(flow, value);
  ++denied_;
  return false;
}

bool ConnectionMarks::update(const Endpoints& flow, std::uint32_t value) {
  alignas(NLMSG_ALIGNTO) std::array<char, kMessage> message{};
  nlmsghdr* const head = put_request(message, IPCTNL_MSG_CT_NEW, flow);  // without NLM_F_CREATE: only what is there
  if (head == nullptr) return false;
  head->nlmsg_flags |= NLM_F_ACK;
  mnl_attr_put_u32(head, CTA_MARK, htonl(value));
  mnl_attr_put_u32(head, CTA_MARK_MASK, htonl(mask_));
  return ask(head) == 0;
}

std::optional<bool> ConnectionMarks::follows(const Endpoints& flow) {
  if (socket_ == nullptr) return std::nullopt;
  alignas(NLMSG_ALIGNTO) std::array<char, kMessage> message{};
  nlmsghdr* const head = put_request(message, IPCTNL_MSG_CT_GET, flow);
  const auto answer = head != nullptr ? ask(head) : std::nullopt;
  if (answer == 0) return true;
  return answer == ENOENT ? std::optional(false) : std::nullopt;
}

bool ConnectionMarks::is_opening(const Endpoints& flow) {
  if (socket_ == nullptr) return false;
  for (const Endpoints& way : {flow, Endpoints{flow.dst, flow.src, flow.dst_port, flow.src_port}}) {
    alignas(NLMSG_ALIGNTO) std::array<char, kMessage> message{};
    nlmsghdr* const head = put_request(message, IPCTNL_MSG_CT_GET, way);
    const std::unique_ptr<nf_conntrack, void (*)(nf_conntrack*)> entry(nfct_new(), nfct_destroy);
    if (head == nullptr || !entry || ask(head, entry.get()) != 0 || nfct_attr_is_set(entry.get(), ATTR_TCP_STATE) <= 0) continue;
    const std::uint8_t state = nfct_get_attr_u8(entry.get(), ATTR_TCP_STATE);
    return state == TCP_CONNTRACK_SYN_SENT || state == TCP_CONNTRACK_SYN_RECV;
  }
  return false;
}

std::optional<Endpoints> ConnectionMarks::as_sent(const Endpoints& flow) {
  if (socket_ == nullptr) return std::nullopt;
  if (follows(flow) == true) return flow;
  const Endpoints back{flow.dst, flow.src, flow.dst_port, flow.src_port};
  alignas(NLMSG_ALIGNTO) std::array<char, kMessage> message{};
  nlmsghdr* const head = put_request(message, IPCTNL_MSG_CT_GET, back);
  const std::unique_ptr<nf_conntrack, void (*)(nf_conntrack*)> entry(nfct_new(), nfct_destroy);
  if (head == nullptr || !entry || ask(head, entry.get()) != 0) return std::nullopt;
  const Endpoints original = flow_of(entry.get(), kOriginal);
  return original == back ? flow_of(entry.get(), kReply) : original;
}

/// `entry`: gets what the answer says of one.
std::optional<int> ConnectionMarks::ask(nlmsghdr* head, nf_conntrack* entry) {
  head->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, head, head->nlmsg_len) < 0) return std::nullopt;
  alignas(NLMSG_ALIGNTO) std::array<char, kAnswerBytes> octets;
  for (;;) {
    const ssize_t size = mnl_socket_recvfrom(socket_, octets.data(), octets.size());
    if (size < 0) return std::nullopt;
    const auto* const answer = reinterpret_cast<const nlmsghdr*>(octets.data());
    if (!mnl_nlmsg_ok(answer, static_cast<int>(size))) return std::nullopt;
    if (answer->nlmsg_seq != sequence_) continue;  // of one that was given up
    if (answer->nlmsg_type != NLMSG_ERROR) return entry == nullptr || nfct_nlmsg_parse(answer, entry) == 0 ? std::optional(0) : std::nullopt;
    return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer))->error;
  }
}

}  // namespace weir::gateway
