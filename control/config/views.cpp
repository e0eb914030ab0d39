// The services and backends of a model beside their places in the file.
#include "control/config/views.hpp"

#include "control/config/keys.hpp"
#include "control/config/utf8.hpp"

namespace astil::config {
namespace {

std::string show(const address& host, Port port) { return ListenEndpoint{}.show({host, port}); }

}  // namespace

template <class T>
bool View<T>::is_sound(std::string_view key) const {
  return is_sound_or_absent(entry->value.find(key), *mistakes);
}

template <class T>
Place View<T>::place_of(std::string_view key) const {
  const Entry* found = entry->value.find(key);
  return found != nullptr ? found->value.place : entry->place;
}

template struct View<Backend>;
template struct View<Service>;

bool BackendView::has_endpoint() const {
  return !model->host.is_unspecified() && model->port != Port{} && is_sound("port");
}

std::string BackendView::endpoint() const { return show(model->host, model->port); }

bool ServiceView::has_endpoint() const {
  return !model->host.is_unspecified() && model->port != Port{} && is_sound("protocol");
}

std::string ServiceView::endpoint() const { return show(model->host, model->port); }

std::string ServiceView::name() const { return "service " + in_quotes(model->name); }

std::vector<ServiceView> views_of(const Model& model, const Node& root, const Mistakes& mistakes) {
  std::vector<ServiceView> views;
  for (const Service& service : model.services) {
    const Entry* entry = root.find("services")->value.find(service.name);
    ServiceView view{{&service, entry, &mistakes}, {}};
    for (const Backend& backend : service.backends) {
      view.backends.push_back({{&backend, entry->value.find("backends")->value.find(backend.name), &mistakes}});
    }
    views.push_back(std::move(view));
  }
  return views;
}

bool is_sound_or_absent(const Entry* entry, const Mistakes& mistakes) {
  return entry == nullptr || !mistakes.at(entry->value.place);
}

std::string line_of(Place place) { return " (line " + std::to_string(place.line) + ')'; }

}  // namespace astil::config
