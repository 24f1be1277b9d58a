"""An array of trials is trained and evaluated. The only folder that imports torch.

Imports core and tasks; of others torch, transformers and safetensors.
"""
