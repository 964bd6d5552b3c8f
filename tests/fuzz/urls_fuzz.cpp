// Parses the URLs and addresses of the settings, and those that proxies pass on. Claims that nothing shows a
// password in them: neither the URL as it is logged, nor the error that says what is wrong with it.
#include <cassert>
#include <string>

#include "broker/base/ip_address.h"
#include "broker/bus/redis_bus.h"
#include "broker/config.h"
#include "broker/http/client_address.h"
#include "fuzz_input.h"
#include "publishers/delivery/target.h"

namespace weir {
namespace {

constexpr std::string_view kSecret = "s3cr3tP4ss";

bool is_one_line(std::string_view text) {
  return !text.empty() && text.find_first_of("\r\n\0", 0, 3) == std::string_view::npos;
}

void check_redis_url(const std::string& text) {
  const auto url = parse_redis_url(text);
  if (!url) {
    assert(is_one_line(url.error().message));
    assert(url.error().message.find(kSecret) == std::string::npos);
    return;
  }
  assert(url->db >= 0 && url->db <= 65'535 && url->path.size() <= 107);
  assert(!url->path.empty() ||
         (!url->host.empty() && std::stoi(url->port) >= 1 && std::stoi(url->port) <= 65'535));
  assert(url->has_password || url->password.empty());
  if (url->password.find(kSecret) != std::string::npos)
    assert(url->redacted().find(kSecret) == std::string::npos);
}

void check_target(const std::string& text) {
  const auto target = parse_target(text);
  if (!target) {
    assert(is_one_line(target.error().message));
    assert(target.error().message.find(kSecret) == std::string::npos);
    return;
  }
  if (target->kind == Target::Kind::kRedis) return;  // As check_redis_url() has it.
  assert(!target->host.empty() && target->port != 0);
  if ((target->user + '\n' + target->password).find(kSecret) != std::string::npos) {
    assert(target->redacted().find(kSecret) == std::string::npos);
  }
}

void check_listen_address(const std::string& text) {
  const auto address = parse_listen_address(text);
  if (!address) {
    assert(!address.error().message.empty());
    return;
  }
  const bool is_ipv6 = address->host.find(':') != std::string::npos;
  const auto again = parse_listen_address((is_ipv6 ? "[" + address->host + "]" : address->host) + ":" +
                                          std::to_string(address->port));
  assert(again && again->host == address->host && again->port == address->port);
  assert(!address->host.empty() || !address->is_loopback());
}

void check_address(std::string_view text) {
  if (const auto address = parse_ip_address(text)) {
    assert(parse_ip_address(address->text()) == address);  // One host is one address.
    assert(client_network(client_network(*address)) == client_network(*address));
    const auto alone = parse_address_range(text);
    assert(alone && alone->contains(*address));
  }
  const auto range = parse_address_range(text);
  assert(range || is_one_line(range.error().message));
}

// The last address in X-Forwarded-For that no trusted proxy has is the client's. Nothing a client writes
// before it changes that.
void check_forwarded(const std::string& made_up) {
  const std::vector<AddressRange> trusted = {*parse_address_range("10.0.0.0/8"),
                                             *parse_address_range("fd00::/8")};
  const IpAddress proxy = *parse_ip_address("10.1.2.3");
  const IpAddress client = *parse_ip_address("192.0.2.7");
  assert(client_address(client, made_up, trusted) == client);
  assert(client_address(proxy, made_up, {}) == proxy);
  assert(client_address(proxy, made_up + ", 192.0.2.7", trusted) == client);
  assert(client_address(proxy, made_up + ",192.0.2.7 , 10.9.9.9", trusted) == client);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::FuzzInput input(data, size);
  std::string before(input.until('\n'));
  const std::string after(input.rest());
  weir::check_listen_address(before);
  weir::check_address(before);
  weir::check_forwarded(before);
  // The only secret in the text, wherever the fuzzer puts it.
  const bool has_it_already = (before + after).find(weir::kSecret) != std::string::npos;
  if (has_it_already) return -1;
  for (const std::string& text : {before + after, before + std::string(weir::kSecret) + after}) {
    weir::check_redis_url(text);
    weir::check_target(text);
  }
  return 0;
}
