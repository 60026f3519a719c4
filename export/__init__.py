"""From a trained model to served samples.

| step | where | command |
| --- | --- | --- |
| write a version | `saved_model.save(model_or_run_dir, models_dir, name=None)` | `python -m export save` |
| check it | `verify.verify(model_dir)` | `python -m export verify` |
| serve it | `server.running(models_dir)`, `launch.serve` | `python -m export serve` |
| fetch samples | `client.Client(grpc=..., rest=...).sample(seeds, name=...)` | `python -m export sample` |

The layout is that of TensorFlow Serving: `<models>/<name>/<integer>/saved_model.pb`. The server in this
package is a stand-in for local use and tests; in production run the official one (`docs/serving.md`).
"""
