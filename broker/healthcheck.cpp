#include "broker/healthcheck.h"

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include "broker/base/http_client.h"
#include "broker/config.h"

namespace weir {
namespace {

// Shorter than the time that Docker and Kubernetes are told to allow for the check (5 s).
constexpr std::chrono::seconds kTimeout{3};

// The address at which this machine reaches a listener on `host`.
std::string address_of(const std::string& host) {
  if (host.empty() || host == "0.0.0.0") return "127.0.0.1";
  return host;
}

const char* text_of(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kRefused:
      return "Connection refused";
    case HttpFailure::kTimedOut:
      return "no answer in time";
    case HttpFailure::kNotHttp:
      break;
  }
  return "closed without an answer, or it is not a gateway that answers";
}

}  // namespace

std::optional<std::string> why_not_ready(const std::string& admin_listen) {
  const std::string who = "the gateway's admin-listen at " + admin_listen + ": ";
  const auto listen = parse_listen_address(admin_listen);
  if (!listen) return listen.error().message;
  if (listen->port == 0) return who + "port 0 is another one at each start and can't be asked";
  const auto outcome = http_get(address_of(listen->host), listen->port, "/readyz", kTimeout);
  if (const auto* failure = std::get_if<HttpFailure>(&outcome)) return who + text_of(*failure);
  const auto* answer = std::get_if<HttpAnswer>(&outcome);
  if (answer->status == 200) return std::nullopt;
  const std::string_view body = answer->body;
  return who + std::to_string(answer->status) + " " + answer->reason + ": " +
         std::string(body.substr(0, body.find('\n')));
}

}  // namespace weir
