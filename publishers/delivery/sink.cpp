#include "publishers/delivery/sink.h"

#include "publishers/delivery/http_sink.h"
#include "publishers/delivery/redis_sink.h"

namespace weir {

std::unique_ptr<Sink> make_sink(const Target& target, const SinkOptions& options) {
  if (target.kind == Target::Kind::kHttp) return std::make_unique<HttpSink>(target, options);
  return std::make_unique<RedisSink>(target, options);
}

}  // namespace weir
